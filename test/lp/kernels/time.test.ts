/** The kernel alone: what it leaves in its buffers, before the host judges it. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { type ExpertCost, Placement } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { costTable } from "../../../src/lp/kernels/cost_table.ts";
import { lanesPerWorkgroup } from "../../../src/lp/kernels/lane.ts";
import { compileTime } from "../../../src/lp/kernels/time.ts";
import { topologyTable } from "../../../src/lp/kernels/topology_table.ts";
import type { Loads } from "../../../src/lp/problem.ts";
import { judge } from "../../../src/lp/solution.ts";
import type { Topology } from "../../../src/lp/topology.ts";
import * as reference from "../../../src/lp/twins/time.ts";
import { families, randomPlacement, randomSpeeds } from "../../helpers/instances.ts";
import { device, runSolve } from "../../helpers/raw.ts";

const costs: Record<string, ExpertCost> = {
  activated: { model: "roofline", perExpert: 6.3, perToken: 0 },
  linear: { model: "affine", perExpert: 0, perToken: 0.035 },
  tiles: { model: "roofline", perExpert: 1, perToken: 0.035, tile: 64 },
  roofline: { model: "roofline", perExpert: 6.3, perToken: 0.0035 },
  "a roofline in tiles": { model: "roofline", perExpert: 6.3, perToken: 0.0035, tile: 128 },
  affine: { model: "affine", perExpert: 16.5, perToken: 0.01 },
  measured: { tokens: [1, 128, 256, 512, 1024, 2048], time: [6.3, 8.3, 10.7, 18.8, 36.6, 72.3] },
  "measured between whole tokens": { tokens: [0.5, 10.67, 1000.5], time: [3, 4.5, 77] },
};

const exact = ["activated", "linear", "tiles"];

function problem(random: Random, cost: ExpertCost, family: string, batch: number, unequal: boolean, based: boolean) {
  const gpus = random.pick([2, 4, 8]);
  const placement = randomPlacement(random, gpus, 4, random.pick([1, gpus, 2 * gpus]), gpus);
  const speed = unequal ? randomSpeeds(random, gpus) : undefined;
  const topology = toTopology(placement, speed, undefined, cost);
  const rows = Array.from({ length: batch }, () => families[family](random, topology.experts, gpus));
  const baseLoad = based
    ? Float64Array.from({ length: batch * gpus }, () => Math.fround(40 * random.next()))
    : undefined;
  const loads: Loads = { batch, tokens: "integer", expertLoad: Int32Array.from(rows.flat()), baseLoad };
  return { topology, loads };
}

async function runTime(topology: Topology, loads: Loads) {
  const table = topologyTable([topology]);
  const kernel = await compileTime(device, table, topology.equalSpeeds);
  const baseLoad = loads.baseLoad && (new Int32Array(Float32Array.from(loads.baseLoad).buffer) as Int32Array);
  return runSolve(kernel, table, { ...loads, baseLoad }, lanesPerWorkgroup(device), {
    curve: costTable(topology.cost!),
  });
}

/** Quotas of the twin's answer to LP p, [P]. */
function quotasOf({ slotReplica }: Topology, x: Float64Array): number[] {
  return Array.from(slotReplica, (r) => (r < 0 ? 0 : x[r]));
}

const loadFamilies = ["normal", "lognormal", "zipf", "8 tokens per GPU", "mostly zero", "one hot", "near 2^31"];

describe.each(Object.keys(costs))("by a cost that is %s", (name) => {
  test.each(loadFamilies)("the shader and its twin have the same answer to the token: %s", async (family) => {
    const random = seeded(loadFamilies.indexOf(family) + 1);
    const { topology, loads } = problem(random, costs[name], family, 8, false, false);
    const raw = await runTime(topology, loads);
    const twin = reference.time(topology);
    for (let p = 0; p < loads.batch; p++) {
      const { x, iterations } = twin(loads, p);
      const { slots } = topology;
      expect([...raw.quota.subarray(p * slots, (p + 1) * slots)], `LP ${p}`).toEqual(quotasOf(topology, x));
      expect(raw.iterations[p], `LP ${p}`).toBe(iterations);
    }
  });

  test.each([
    [false, true],
    [true, false],
    [true, true],
  ])(
    "with speeds (%s) and base loads (%s) it is as good as its twin, and claims no optimum that is none",
    async (unequal, based) => {
      for (const [i, family] of loadFamilies.slice(0, 5).entries()) {
        const { topology, loads } = problem(seeded(20 + i), costs[name], family, 8, unequal, based);
        const raw = await runTime(topology, loads);
        const { judged, judgeOne } = judge(topology, loads, raw);
        const twin = reference.time(topology);
        for (let p = 0; p < loads.batch; p++) {
          judgeOne(p);
          const time = judged.maxTime![p];
          const { x, member } = twin(loads, p);
          const one = { ...raw, quota: Int32Array.from(quotasOf(topology, x)), member };
          const { gpus, experts } = topology;
          const row: Loads = {
            ...loads,
            batch: 1,
            expertLoad: loads.expertLoad.subarray(p * experts, (p + 1) * experts),
            baseLoad: loads.baseLoad?.subarray(p * gpus, (p + 1) * gpus),
          };
          const other = judge(topology, row, one);
          other.judgeOne(0);
          expect(time / Math.max(other.judged.maxTime![0], 1e-9), `${family}, LP ${p}`).toBeLessThan(
            exact.includes(name) ? 1 + 1e-6 : 1.02,
          );
          // Proven for speeds and base loads as the kernel rounds them.
          if (raw.status[p] === "optimal") expect(judged.timeGap![p]).toBeLessThan(1e-6);
          if (exact.includes(name)) expect(raw.status[p]).toBe("optimal");
        }
      }
    },
  );
});

test("an expert twice on a GPU is two slots: its weights are read once", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 0, 1, 1, 0, 2], { gpus: 2 });
  const topology = toTopology(placement, undefined, undefined, costs.roofline);
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad: Int32Array.of(40, 7, 9), baseLoad: undefined };
  const { quota, status } = await runTime(topology, loads);
  expect(quota.filter((tokens) => tokens > 0).length).toBe(3);
  expect(status).toEqual(["optimal"]);
});

describe("the kernel calls nothing optimal that it cannot tell", () => {
  test.each([
    [
      "base loads of more units than it counts",
      { model: "affine", perExpert: 0, perToken: 1e-3 },
      [1.001e6, 1e6],
      [1000, 2e6, 1000],
    ],
    ["a curve that rises too steeply for its table", { tokens: [1, 2, 3], time: [1, 1.5, 1e13] }, [0, 0], [2, 2, 2]],
  ] as const)("%s", async (_, cost, base, expertLoad) => {
    const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
    const topology = toTopology(placement, undefined, undefined, cost as ExpertCost);
    const loads: Loads = {
      batch: 1,
      tokens: "integer",
      expertLoad: Int32Array.from(expertLoad),
      baseLoad: Float64Array.from(base),
    };
    expect((await runTime(topology, loads)).status).toEqual(["gap"]);
  });
});
