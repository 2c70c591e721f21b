/** The exact finish of *group*, alone: from starts that no interior point would leave it. */
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/gpu/pipeline.ts";
import type { GroupLanes } from "../../../src/lp/kernels/group.ts";
import { SLOWEST_PACE } from "../../../src/lp/kernels/topology_table.ts";
import { adjacency } from "../../../src/lp/topology.ts";
import { finishBindings, fragment, listed, runFinish, variableLimit } from "../../helpers/finish.ts";
import { device, subgroup, workgroup } from "../../helpers/group.ts";
import { expectFinished, maxLoadServed, type Start, starts } from "../../helpers/starts.ts";

/** What group_finish.wgsl needs of a kernel: one LP. Place 0 stands for fixed GPUs and holds what nobody should touch; GPU g is place g + 1. */
const wgsl = `
  override EQUAL_SPEEDS: bool;
  override WG: u32;
  @group(0) @binding(0) var<storage, read> topology: array<u32>;
  @group(0) @binding(1) var<storage, read> load: array<i32>;
  @group(0) @binding(2) var<storage, read> base: array<i32>;
  @group(0) @binding(3) var<storage, read> x: array<f32>;
  @group(0) @binding(4) var<storage, read_write> cut: array<u32>;
  @group(0) @binding(5) var<storage, read_write> result: array<i32>;
  const record = 0u;
  const fixed = 1u;
  const places = MAX_GPUS;
  const MAX_EXPERTS = MAX_REPLICAS / 2u;
  const experts = MAX_EXPERTS;
  const NOBODYS = 1 << 30;
  struct Hottest { time: vec2u, label: u32, movable: bool, negative: bool }
  var<workgroup> wg_tokens: array<i32, MAX_EXPERTS>;
  var<workgroup> wg_kept: array<i32, MAX_REPLICAS>;
  var<workgroup> wg_held: array<i32, MAX_GPUS>;
  var<workgroup> wg_member: array<u32, MAX_GPUS>;
  var<workgroup> wg_best: array<f32, MAX_REPLICAS>;
  var<workgroup> wg_y: array<f32, MAX_GPUS>;
  var<workgroup> wg_b: array<f32, MAX_GPUS>;
  fn start_of(e: u32) -> u32 { return topology[AT_START + e]; }
  fn gpu_of(r: u32) -> u32 { return topology[AT_GPU + r]; }
  fn pace(k: u32) -> u32 { return topology[AT_PACE + k]; }
  fn speed(k: u32) -> f32 { return bitcast<f32>(topology[AT_SPEED + k]); }
  fn scaled_load(e: u32) -> f32 { return f32(wg_tokens[e]); }
  @compute @workgroup_size(WG) fn finish_alone(@builtin(local_invocation_index) lane: u32) {
    if (topology[AT_LIMIT] != 0u) { MOVE_LIMIT = topology[AT_LIMIT]; }
    for (var e = lane; e < experts; e += WG) { wg_tokens[e] = load[e]; }
    for (var r = lane; r < MAX_REPLICAS; r += WG) { wg_best[r] = x[r]; }
    for (var k = fixed + lane; k < places; k += WG) {
      wg_held[k] = base[k - fixed];
      wg_b[k] = f32(base[k - fixed]);
      wg_y[k] = f32(cut[k - fixed]);
    }
    if (lane == 0u) {
      wg_held[0] = NOBODYS;
      wg_b[0] = f32(NOBODYS);
      wg_y[0] = f32(NOBODYS);
      wg_member[0] = 1u;
    }
    workgroupBarrier();
    let label = topology[AT_HOTTEST];
    let hottest = Hottest(time_alone(base[label], label + fixed), label, true, false);
    let finished = finish(lane, hottest);
    for (var r = lane; r < MAX_REPLICAS; r += WG) { result[r] = wg_kept[r]; }
    for (var k = fixed + lane; k < places; k += WG) {
      let alone = finished.is_hottest && finished.hottest == k - fixed;
      cut[k - fixed] = select(0u, 1u, alone || (!finished.is_hottest && wg_member[k] == 1u));
    }
    if (lane == 0u) { result[MAX_REPLICAS] = i32(finished.moves); }
  }`;

/** The lists of a topology one after the other, and where each begins. */
function packed({ topology, loads: { baseLoad } }: Start, limit: number) {
  const { gpus, replicaStart, replicaGpu, speed } = topology;
  const { gpuStart, gpuReplica, replicaExpert } = adjacency(topology);
  const slowest = Math.min(...speed);
  const first = gpus + 2; // where the list of place 0, which is empty, and of the others begin
  return listed({
    ON_GPU: [first, ...gpuStart.map((i) => first + i), ...gpuReplica],
    START: replicaStart,
    GPU: replicaGpu.map((g) => g + 1),
    PACE: [SLOWEST_PACE, ...speed.map((v) => Math.round((SLOWEST_PACE * slowest) / v))],
    SPEED: new Uint32Array(Float32Array.of(1, ...speed).buffer),
    OWNER: replicaExpert,
    HOTTEST: [speed.reduce((top, v, g) => (baseLoad![g] / v > baseLoad![top] / speed[top] ? g : top), 0)],
    LIMIT: [limit],
  });
}

/** @param limit  of moves and raises; 0: the fragment's own. */
async function finish(start: Start, { kernel, lanes }: GroupLanes, limit = 0) {
  const { topology, x } = start;
  const { at, words } = packed(start, limit);
  const definition = {
    name: "finish_alone",
    wgsl: kernel === "subgroup" ? `enable subgroups; ${wgsl}` : wgsl,
    variant: kernel,
    includes: [
      fragment("lp/group_finish.wgsl"),
      variableLimit,
      fragment("lp/group_time.wgsl"),
      fragment("lp/token_time.wgsl"),
      fragment("lp/totals.wgsl"),
      fragment(`lp/${kernel}_reduce.wgsl`),
      fragment("common/u64.wgsl"),
    ],
    bindings: finishBindings,
  };
  const shape = { MAX_GPUS: topology.gpus + 1, MAX_REPLICAS: x.length, ...at };
  const overrides = { EQUAL_SPEEDS: topology.equalSpeeds ? 1 : 0, WG: lanes };
  return runFinish(await compile(device, definition, shape, overrides), words, start);
}

// A pipeline takes seconds: of the four, two.
describe.each([
  ["equal", workgroup],
  ["unequal", subgroup],
] as const)("%s speeds, $kernel", (speeds, variant) => {
  test.each(Object.entries(starts(speeds === "unequal")))(
    "%s: optimal and proven after more than 100 moves",
    async (_, start) => {
      const { kept, moves, member } = await finish(start, variant);
      expectFinished(start, kept, member);
      expect(moves).toBeGreaterThan(100);
      expect(moves).toBeLessThanOrEqual(4096);
    },
  );
});

test("gives up at its limit, says so, and loses no token", async () => {
  const start = starts(false)["everything on one GPU"]; // from the cut that is the optimum's: no raises
  const { moves } = await finish(start, workgroup);
  const enough = await finish(start, workgroup, moves);
  expect(enough.moves).toBe(moves);
  expectFinished(start, enough.kept, enough.member);
  const tooFew = await finish(start, workgroup, moves - 1);
  expect(tooFew.moves).toBe(moves); // one beyond the limit
  expect(maxLoadServed(start, tooFew.kept)).toBeGreaterThan(start.optimum);
});
