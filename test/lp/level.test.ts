import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  certify,
  createSolver,
  Placement,
  type ReplicaSolution,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { type FlatReplicas, families, instances, shapes } from "../helpers/instances.ts";
import { isLevel, levelled, tinyProblem } from "../helpers/level.ts";
import { certifyInstance, solveInstance } from "../helpers/solve.ts";

test("below the bottleneck, too: 150 and 150 where an optimum may have 300 and 0", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 2, 1, 2, 1], { gpus: 3 });
  const problem = { placement, expertLoad: [1000, 300, 0] };
  for (const backend of ["cpu", "webgpu"] as const) {
    const { gpuLoad, maxLoad } = await solveLoadBalanceLP(problem, { backend, level: true });
    expect([...gpuLoad]).toEqual([1000, 150, 150]);
    expect(maxLoad[0]).toBe(1000);
  }
});

test("1,000 tiny problems: the loads that brute force finds, certified", async () => {
  let unlike = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const problem = tinyProblem(seeded(seed));
    const plain = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu", level: true });
    expect([...solution.gpuLoad], `seed ${seed}`).toEqual(levelled(problem));
    expect(certify(problem, solution)[0].verdict, `seed ${seed}`).toBe("optimal");
    if (plain.gpuLoad.join() !== solution.gpuLoad.join()) unlike++;
  }
  expect(unlike).toBeGreaterThan(150); // otherwise there was nothing to level
});

describe("every shape and family", () => {
  test("no path leads to a GPU at least 2 lower, and the proof holds", async () => {
    let checked = 0;
    for (const instance of instances(Object.keys(shapes), Object.keys(families), 51, 2, false)) {
      const solution = await solveInstance(instance, { backend: "cpu", level: true });
      const verdicts = certifyInstance(instance, solution).map(({ verdict }) => verdict);
      expect(new Set(verdicts), instance.name).toEqual(new Set(["optimal"]));
      if (instance.form === "edge") continue;
      const { gpus, physicalExperts: slots } = instance.problem.placement;
      const { gpuLoad, quota } = solution as ReplicaSolution;
      for (let lp = 0; lp < instance.batch; lp++) {
        const load = gpuLoad.subarray(lp * gpus, (lp + 1) * gpus);
        expect(isLevel(instance.problem.placement, load, quota.subarray(lp * slots)), instance.name).toBe(true);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(100);
  });

  test("lane, in both forms: the same loads as the CPU", async () => {
    for (const instance of instances(["cube", "EP8 R8"], Object.keys(families), 51, 8, false)) {
      const cpu = await solveInstance(instance, { backend: "cpu", level: true });
      const webgpu = await solveInstance(instance, { backend: "webgpu", level: true });
      expect(webgpu.gpuLoad, instance.name).toEqual(cpu.gpuLoad);
    }
  });

  test("group and specialised: the same loads as the CPU", async () => {
    for (const instance of instances(["EP8 R8"], Object.keys(families), 51, 8, false)) {
      const { placement, expertLoad } = instance.problem as FlatReplicas;
      const { gpuLoad } = await solveInstance(instance, { backend: "cpu", level: true });
      for (const kernel of ["group", "specialised"] as const) {
        const solver = await createSolver(placement, { backend: "webgpu", kernel });
        await solver.ready;
        expect((await solver.solve({ expertLoad }, { level: true })).gpuLoad, instance.name).toEqual(gpuLoad);
        solver.destroy();
      }
    }
  });
});

test("an expert twice on a GPU, equal speeds that are not 1, a solver's next solve without", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 0, 1, 0, 1, 2], { gpus: 3 });
  const solver = await createSolver(placement, { backend: "cpu", speed: [2, 2, 2] });
  const expertLoad = [31, 0, 20];
  const { gpuLoad, maxLoad, quota } = await solver.solve({ expertLoad }, { level: true });
  expect([...gpuLoad]).toEqual([16, 15, 20]);
  expect(maxLoad[0]).toBe(10);
  expect([...quota]).toEqual([8, 8, 0, 15, 0, 20]);
  const plain = await solver.solve({ expertLoad });
  expect(plain.maxLoad[0]).toBe(10);
  solver.destroy();
});

test("what cannot be levelled is refused", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const problem = { placement, expertLoad: [3, 4, 5] };
  const refused = async (options: object, more: object = {}) =>
    solveLoadBalanceLP({ ...problem, ...more }, options).then(
      () => "nothing thrown",
      (error) => (error instanceof ArgumentError ? error.message : "another error"),
    );
  expect(await refused({ level: "yes" })).toBe('level: expected true or false, got "yes".');
  expect(await refused({ level: true, tokens: "fractional" })).toMatch(/^level: expected false with fractions/);
  expect(await refused({ level: true }, { expertLoad: [0.5, 1, 2] })).toMatch(/^level: expected false with fractions/);
  expect(await refused({ level: true }, { speed: [1, 2] })).toMatch(/^level: expected false with unequal speeds/);
});
