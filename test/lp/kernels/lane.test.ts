import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { createSolver, Placement, solveLoadBalanceLP } from "../../../src/index.ts";
import { laneKernel, lanesPerWorkgroup } from "../../../src/lp/kernels/lane.ts";
import { statuses } from "../../../src/lp/kernels/proof.ts";
import * as reference from "../../../src/lp/twins/lane.ts";
import { constants } from "../../../src/lp/twins/tolerances.ts";
import {
  families,
  type Instance,
  instances,
  randomPlacement,
  shapes,
  topologyAndLoads,
} from "../../helpers/instances.ts";
import { maxLoadUnder } from "../../helpers/max_load.ts";
import {
  checkNegative,
  checkRaw,
  device,
  expectFewLeft,
  expectOrdinary,
  expectSame,
  negativeLoads,
  solveLane,
} from "../../helpers/raw.ts";
import { certifyInstance, solveInstance } from "../../helpers/solve.ts";

const shader = (path: string) => readFileSync(new URL(`../../../shaders/${path}`, import.meta.url), "utf8");

describe("the shader and its twin", () => {
  test("have the same constants", () => {
    const source = shader("lp/tolerances.wgsl");
    const declared = [...source.matchAll(/^const (\w+) = ([\d.e-]+)u?;/gm)];
    expect(Object.fromEntries(declared.map(([, name, value]) => [name, Number(value)]))).toEqual(constants);
    expect(laneKernel.includes).toContain(source);
  });

  test("have the same statuses", () => {
    const source = shader("lp/solve_params.wgsl");
    for (const [value, status] of statuses.entries()) {
      expect(source).toMatch(new RegExp(`const ${status.toUpperCase()} = ${value}u;`));
    }
  });

  // NVIDIA's driver refuses what takes too much private memory, and group is taken; other devices' compilers may be asked for it.
  const compiled = Object.keys(shapes).filter((name) => name !== "EP64 R64" || device.adapterInfo.vendor !== "nvidia");
  test.each([false, true])(
    "agree on every optimum, raw, and on iterations up to f32; unequal speeds: %s",
    async (unequalSpeeds) => {
      const differences: number[] = [];
      let left = 0;
      for (const instance of instances(compiled, Object.keys(families), 11, 2, unequalSpeeds)) {
        const { topology, loads } = await topologyAndLoads(instance);
        const answer = await solveLane([topology], loads);
        const checked = checkRaw([topology], loads, answer, instance.name);
        left += checked.left;
        expectOrdinary(instance.name, answer, {
          iterations: shader("lp/tolerances.wgsl"),
          moves: shader("lp/solve_params.wgsl"),
        });
        const solve64 = reference.lane(topology);
        for (let lp = 0; lp < instance.batch; lp++) {
          const { x, iterations } = solve64(loads, lp);
          expect(maxLoadUnder(topology, loads, lp, x), `${instance.name}, LP ${lp}`).toBe(checked.optima[lp]);
          differences.push(Math.abs(answer.iterations[lp] - iterations));
        }
      }
      expectSame(differences);
      expectFewLeft(left, differences.length, unequalSpeeds);
    },
  );
});

test("does not call optimal what it cannot prove: loads below 0 at unequal speeds", async () => {
  const given = negativeLoads();
  checkNegative(given, await solveLane([given.topology], given.loads));
});

/** LPs of one placement, easy and extreme in turn. */
function mixedBatch(batch: number): { placement: Placement; expertLoad: Int32Array } {
  const random = seeded(12);
  const placement = randomPlacement(random, 8, 5, 8, 4);
  const kinds = Object.values(families);
  const rows = Array.from({ length: batch }, (_, lp) => kinds[lp % kinds.length](random, placement.logicalExperts, 8));
  return { placement, expertLoad: Int32Array.from(rows.flat()) };
}

describe("the batch", () => {
  test("4,096 mixed LPs: each as if alone, in any order, bit for bit", async () => {
    const batch = 4096;
    const { placement, expertLoad } = mixedBatch(batch);
    const E = placement.logicalExperts;
    const P = placement.physicalExperts;
    const solver = await createSolver(placement, { backend: "webgpu", kernel: "lane" });
    const together = await solver.solve({ expertLoad });
    expect(together.status.every((status) => status === "optimal")).toBe(true);

    const order = seeded(13).shuffle([...new Array(batch).keys()]);
    const shuffledLoad = Int32Array.from(order.flatMap((lp) => [...expertLoad.subarray(lp * E, (lp + 1) * E)]));
    const shuffled = await solver.solve({ expertLoad: shuffledLoad });
    for (const [i, lp] of order.entries()) {
      expect(shuffled.quota.subarray(i * P, (i + 1) * P)).toEqual(together.quota.subarray(lp * P, (lp + 1) * P));
    }
    for (let lp = 0; lp < batch; lp += 97) {
      const alone = await solver.solve({ expertLoad: expertLoad.subarray(lp * E, (lp + 1) * E) });
      expect(alone.quota).toEqual(together.quota.subarray(lp * P, (lp + 1) * P));
    }
    solver.destroy();
  });

  test("65,536 LPs, past one dispatch dimension's comfort", async () => {
    const { placement, expertLoad } = mixedBatch(512);
    const many = new Int32Array(128 * expertLoad.length);
    for (let i = 0; i < 128; i++) many.set(expertLoad, i * expertLoad.length);
    const once = await solveLoadBalanceLP({ placement, expertLoad }, { backend: "webgpu" });
    const all = await solveLoadBalanceLP({ placement, expertLoad: many }, { backend: "webgpu" });
    expect(all.batch).toBe(65536);
    expect(all.quota.subarray(127 * once.quota.length)).toEqual(once.quota);
    expect(all.maxLoad.subarray(0, 512)).toEqual(once.maxLoad);
  });
});

test.each([
  [4, 4],
  [32, 32],
  [64, 32], // a wave of which half the lanes would wait is still spread over more cores
  [undefined, 32], // a browser that does not tell
])("a workgroup is a subgroup of %s lanes, up to a warp: %i", (subgroupMaxSize, lanes) => {
  expect(lanesPerWorkgroup({ adapterInfo: { subgroupMaxSize } } as GPUDevice)).toBe(lanes);
});

describe("properties", () => {
  const some = () =>
    instances(["EP8, 4 replicas", "disconnected", "experts everywhere"], Object.keys(families), 14, 4, false);

  test("relabelling GPUs relabels nothing but the answer", async () => {
    let kept = 0;
    for (const instance of some()) {
      if (instance.form === "edge") continue;
      const { placement, expertLoad } = instance.problem;
      const perGpu = placement.physicalExperts / placement.gpus;
      const order = seeded(15).shuffle([...new Array(placement.gpus).keys()]);
      const map = order.flatMap((g) => [...placement.physicalToLogical.subarray(g * perGpu, (g + 1) * perGpu)]);
      const relabelled = { placement: Placement.fromPhysicalToLogical(map, { gpus: placement.gpus }), expertLoad };
      const a = await solveLoadBalanceLP(instance.problem, { backend: "webgpu" });
      const b = await solveLoadBalanceLP(relabelled, { backend: "webgpu" });
      expect(b.maxLoad, instance.name).toEqual(a.maxLoad);
      kept++;
    }
    expect(kept).toBe(3 * Object.keys(families).length);
  });

  test.each([1e-3, 0.37, 1e6])("loads times %f: optimum times as much", async (factor) => {
    for (const instance of some()) {
      if (instance.form === "edge") continue;
      const { placement, expertLoad } = instance.problem;
      const scaled = { placement, expertLoad: Array.from(expertLoad, (tokens) => tokens * factor) };
      const options = { backend: "webgpu", tokens: "fractional" } as const;
      const a = await solveLoadBalanceLP(instance.problem, options);
      const b = await solveLoadBalanceLP(scaled, options);
      for (let lp = 0; lp < a.batch; lp++) {
        const allowed = (a.gap[lp] + b.gap[lp] + 1e-12) * a.maxLoad[lp] * factor;
        expect(Math.abs(b.maxLoad[lp] - factor * a.maxLoad[lp]), instance.name).toBeLessThanOrEqual(allowed);
      }
    }
  });

  test("zero load, all load on one expert, base loads of any sign", async () => {
    const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2, 2, 0], { gpus: 3 });
    const expertLoad = [0, 0, 0, 90, 0, 0, 10, 20, 30, 0, 0, 0];
    const baseLoad = [0, 0, 0, 0, 0, 0, 100, -50, -1000, -7, -5, -9];
    for (const backend of ["webgpu", "cpu"] as const) {
      const { maxLoad, status } = await solveLoadBalanceLP({ placement, expertLoad, baseLoad }, { backend });
      expect([...maxLoad]).toEqual([0, 45, 100, -5]);
      expect(new Set(status)).toEqual(new Set(["optimal"]));
    }
  });

  test("edge capacities beyond the loads of any expert: negative base loads", async () => {
    const random = seeded(16);
    for (const instance of instances(["cube", "torus 8x4"], ["normal", "zipf"], 17, 5, false)) {
      const { problem } = instance as Instance & { form: "edge" };
      const capacity = Array.from(problem.capacity, (c) => c * random.below(8));
      const wide: Instance = { ...instance, form: "edge", problem: { ...problem, capacity } };
      const [webgpu, cpu] = [
        await solveInstance(wide, { backend: "webgpu" }),
        await solveInstance(wide, { backend: "cpu" }),
      ];
      expect(webgpu.maxLoad).toEqual(cpu.maxLoad);
      expect(certifyInstance(wide, webgpu).every(({ verdict }) => verdict === "optimal")).toBe(true);
    }
  });

  test("an expert twice on one GPU shares that replica's tokens evenly", async () => {
    const placement = Placement.fromPhysicalToLogical([0, 0, 0, 1], { gpus: 2 });
    for (const backend of ["webgpu", "cpu"] as const) {
      const { quota, maxLoad } = await solveLoadBalanceLP({ placement, expertLoad: [11, 0] }, { backend });
      expect(maxLoad[0]).toBe(6);
      expect(quota[0] + quota[1] + quota[2]).toBe(11);
      expect(Math.abs(quota[0] - quota[1])).toBeLessThanOrEqual(1);
    }
  });
});
