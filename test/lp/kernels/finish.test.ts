/** The exact finish of *lane*, alone: from starts that no interior point would leave it. */
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/gpu/pipeline.ts";
import { SLOWEST_PACE } from "../../../src/lp/kernels/topology_table.ts";
import { adjacency, type Topology } from "../../../src/lp/topology.ts";
import * as reference from "../../../src/lp/twins/finish.ts";
import { finishBindings, fragment, listed, runFinish, variableLimit } from "../../helpers/finish.ts";
import { device } from "../../helpers/raw.ts";
import { expectFinished, maxLoadServed, type Start, starts } from "../../helpers/starts.ts";

/** What finish.wgsl and whole_time.wgsl need of a kernel: one LP, all of whose experts have a choice. */
const wgsl = `
  var<private> EQUAL_SPEEDS: bool;
  @group(0) @binding(0) var<storage, read> topology: array<u32>;
  @group(0) @binding(1) var<storage, read> load: array<i32>;
  @group(0) @binding(2) var<storage, read> base: array<i32>;
  @group(0) @binding(3) var<storage, read> x: array<f32>;
  @group(0) @binding(4) var<storage, read_write> cut: array<u32>;
  @group(0) @binding(5) var<storage, read_write> result: array<i32>;
  const record = 0u;
  const gpus = MAX_GPUS;
  const experts = MAX_REPLICAS / 2u;
  var<private> tokens: array<i32, experts>;
  var<private> alone: array<i32, gpus>;
  var<private> member: array<bool, gpus>;
  var<private> cap: array<i32, gpus>;
  var<private> best_x: array<f32, MAX_REPLICAS>;
  fn start_of(e: u32) -> u32 { return topology[AT_START + e]; }
  fn gpu_of(r: u32) -> u32 { return topology[AT_GPU + r]; }
  fn pace(g: u32) -> u32 { return topology[AT_PACE + g]; }
  @compute @workgroup_size(1) fn finish_alone() {
    EQUAL_SPEEDS = topology[AT_EQUAL_SPEEDS] != 0u;
    if (topology[AT_LIMIT] != 0u) { MOVE_LIMIT = topology[AT_LIMIT]; }
    for (var e = 0u; e < experts; e++) { tokens[e] = load[e]; }
    for (var g = 0u; g < gpus; g++) {
      alone[g] = base[g];
      member[g] = cut[g] != 0u;
    }
    for (var r = 0u; r < MAX_REPLICAS; r++) { best_x[r] = x[r]; }
    round_to_tokens();
    result[MAX_REPLICAS] = i32(finish());
    for (var r = 0u; r < MAX_REPLICAS; r++) { result[r] = kept[r]; }
    for (var g = 0u; g < gpus; g++) { cut[g] = select(0u, 1u, member[g]); }
  }`;

/** The lists of a topology one after the other, and where each begins. */
function packed(topology: Topology, limit: number) {
  const { replicaStart, replicaGpu, speed, equalSpeeds } = topology;
  const { gpuStart, gpuReplica, replicaExpert } = adjacency(topology);
  const slowest = Math.min(...speed);
  return listed({
    EQUAL_SPEEDS: [equalSpeeds ? 1 : 0],
    LIMIT: [limit],
    START: replicaStart,
    GPU: replicaGpu,
    PACE: speed.map((v) => Math.round((SLOWEST_PACE * slowest) / v)),
    OWNER: replicaExpert,
    GPU_START: gpuStart,
    GPU_REPLICA: gpuReplica,
  });
}

/** @param limit  of moves and raises; 0: the fragment's own. */
async function finish(start: Start, limit = 0) {
  const { topology, x } = start;
  const { at, words } = packed(topology, limit);
  const kernel = {
    name: "finish_alone",
    wgsl,
    includes: [
      ...["lp/finish.wgsl", "lp/whole_time.wgsl", "lp/token_time.wgsl", "common/u64.wgsl"].map(fragment),
      variableLimit,
    ],
    bindings: finishBindings,
  };
  const compiled = await compile(device, kernel, { MAX_GPUS: topology.gpus, MAX_REPLICAS: x.length, ...at }, {});
  return runFinish(compiled, words, start);
}

describe.each([false, true])("unequal speeds: %s", (unequalSpeeds) => {
  test.each(Object.entries(starts(unequalSpeeds)))(
    "%s: optimal and proven after more than 100 moves",
    async (_, start) => {
      const { kept, moves, member } = await finish(start);
      expectFinished(start, kept, member);
      expect(moves).toBeGreaterThan(100);
      expect(moves).toBeLessThanOrEqual(4096);
      const twin = reference.finish(
        start.topology,
        start.loads,
        0,
        Float64Array.from(start.x),
        Uint8Array.from(start.member),
      );
      if (!unequalSpeeds) expect(moves).toBe(twin);
    },
  );
});

test("gives up at its limit, says so, and loses no token", async () => {
  const start = starts(false)["everything on one GPU"]; // from the cut that is the optimum's: no raises
  const { moves } = await finish(start);
  const enough = await finish(start, moves);
  expect(enough.moves).toBe(moves);
  expectFinished(start, enough.kept, enough.member);
  const tooFew = await finish(start, moves - 1);
  expect(tooFew.moves).toBe(moves); // one beyond the limit
  expect(maxLoadServed(start, tooFew.kept)).toBeGreaterThan(start.optimum);
});
