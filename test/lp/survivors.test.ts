/** Dead GPUs, empty slots and lost experts in the solvers and in certify. 2,000 instances are `npm run test:exhaustive -- survivors 2000`. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  type Active,
  ArgumentError,
  certify,
  createSolver,
  expertPrice,
  measureImbalance,
  Placement,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { sweepSurvivors } from "../exhaustive/survivors.ts";
import { levelled } from "../helpers/level.ts";
import { survivorsOf, tinySurvivors } from "../helpers/survivors.ts";

const cpu = { backend: "cpu" } as const;
const webgpu = { backend: "webgpu" } as const;

test("a slice of the random problems: every kernel and the CPU, raw and certified", { timeout: 120_000 }, async () => {
  const summary = await sweepSurvivors(25, 4);
  expect(summary.failures).toEqual([]);
  expect(summary).toMatchObject({ instances: 25, dead: 25, perturbedAccepted: 0 });
  expect(summary.answers).toEqual({ lane: 25, group: 25, specialised: 25 });
});

/** Experts 0 and 1 on GPU 0, 1 and 2 on GPU 1, 2 on GPU 2, beside an empty slot; expert 3 nowhere. */
const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2, 2, -1], { gpus: 3, logicalExperts: 4 });
const expertLoad = [10, 20, 6, 5];

describe.each([cpu, webgpu])("planted, %j", (options) => {
  test("all alive: experts 0 and 1 are 30 on two GPUs, and expert 3 is lost", async () => {
    const problem = { placement, expertLoad };
    const solution = await solveLoadBalanceLP(problem, options);
    expect(solution).toMatchObject({ lost: [3], maxLoad: Float64Array.of(15), unserved: Float64Array.of(5) });
    expect(certify(problem, solution)[0].verdict).toBe("optimal");
  });

  test("GPU 2 dies: 18 each, none of it there, whatever its base load", async () => {
    const problem = { placement, expertLoad, active: [true, 1, 0], baseLoad: [0, 0, 1e6] };
    const solution = await solveLoadBalanceLP(problem, options);
    expect([...solution.gpuLoad]).toEqual([18, 18, 0]);
    expect([...solution.quota]).toEqual([10, 8, 12, 6, 0, 0]);
    expect(solution).toMatchObject({ bottleneck: [[0, 1]], price: Float64Array.of(0.5, 0.5, 0), lost: [3] });
    expect(certify(problem, solution)[0].verdict).toBe("optimal");
    expect([...expertPrice(problem, solution)]).toEqual([0.5, 0.5, 0.5, 0]);
  });

  test("GPU 0 dies: expert 0 is lost, too; speeds are those of the living", async () => {
    const problem = { placement, expertLoad, speed: [9, 2, 1], active: Uint8Array.of(0, 1, 1) };
    const solution = await solveLoadBalanceLP(problem, options);
    expect(solution).toMatchObject({ lost: [0, 3], unserved: Float64Array.of(15), maxLoad: Float64Array.of(10) });
    expect([...solution.gpuLoad]).toEqual([0, 20, 6]);
    expect(certify(problem, solution)[0].verdict).toBe("optimal");
    expect([...expertPrice(problem, solution)]).toEqual([0, 0.5, 0, 0]);
  });

  test("below 0 a dead GPU of load 0 is not the bottleneck", async () => {
    const problem = { placement, expertLoad: [1, 1, 1, 1], baseLoad: [-50, -70, Number.NaN], active: [1, 1, 0] };
    const solution = await solveLoadBalanceLP(problem, options);
    expect(solution).toMatchObject({ maxLoad: Float64Array.of(-49), bottleneck: [[0]], tokens: "integer" });
    expect(certify(problem, solution)[0].verdict).toBe("optimal");
  });

  test("of a measured batch: means over the living, an even split over them, quotas and shares of the dead", async () => {
    const input = { placement, active: [1, 1, 0], counts: expertLoad };
    const even = await measureImbalance(input, options);
    expect([...even.gpuLoad]).toEqual([20, 16, 0]);
    expect([even.mean[0], even.idleTokens[0], even.hottestGpu[0], even.max[0]]).toEqual([18, 4, 0, 20]);
    expect(even.imbalance[0]).toBeCloseTo(20 / 18, 6);
    expect(even.variation[0]).toBeCloseTo(2 / 18, 6);
    const topkIds = Int32Array.from(expertLoad.flatMap((tokens, e) => new Array<number>(tokens).fill(e)));
    expect(await measureImbalance({ placement, active: [1, 1, 0], topkIds, topK: 1 }, options)).toEqual(even);
    const given = await measureImbalance({ ...input, quota: [10, 8, 12, 6, 0, 0] }, options);
    expect([...given.gpuLoad]).toEqual([18, 18, 0]);
    // Expert 2's shares are 1 to 3, and the 3 are dead; expert 1's are 1 to 3, in the order of the caller's slots.
    const shares = [1, 0, 1, 3, 1, 3, 0, 0];
    expect([...(await measureImbalance({ ...input, shares }, options)).gpuLoad]).toEqual([15, 21, 0]);
    const first = { ...input, active: [0, 1, 1], shares };
    expect([...(await measureImbalance(first, options)).gpuLoad]).toEqual([0, 22, 4]);
    const idle = await measureImbalance({ ...input, active: [0, 1, 1], counts: [0, 0, 0, 0] }, options);
    expect([idle.hottestGpu[0], idle.imbalance[0]]).toEqual([1, 1]);
    await expect(measureImbalance({ ...input, quota: [10, 8, 12, 5, 1, 0] }, options)).rejects.toThrow(
      /^quota\[4\]: expected 0 in an empty slot and on a dead GPU, got 1\.$/,
    );
  });
});

test("levelled: brute force over the living, on both backends", async () => {
  let compared = 0;
  for (let seed = 0; compared < 25; seed++) {
    const { speed: _, ...whole } = tinySurvivors(seeded(9000 + seed));
    const { problem, alive } = survivorsOf(whole);
    if (!problem || alive.length < 2) continue;
    const expected = levelled(problem);
    for (const options of [cpu, webgpu]) {
      const solution = await solveLoadBalanceLP(whole, { ...options, level: true });
      expect(
        alive.map((g) => solution.gpuLoad[g]),
        `seed ${seed}`,
      ).toEqual(expected);
      expect(certify(whole, solution)[0].verdict).toBe("optimal");
    }
    compared++;
  }
});

describe("active that is not as it should be", () => {
  const problem = { placement, expertLoad };
  const cases: [string, unknown][] = [
    ["active: expected gpus = 3 values, got 2.", [1, 1]],
    ["active[1]: expected true or 1 for alive, false or 0 for dead, got 0.5.", [1, 0.5, 1]],
    ['active[1]: expected true or 1 for alive, false or 0 for dead, got "1".', [1, "1", 1]],
    ['active: expected a GPU that is alive, got "none".', [0, false, 0]],
    ["active: expected an array or TypedArray of true or false, 1 or 0, got null.", null],
    ['active: expected an array or TypedArray of true or false, 1 or 0, got "101".', "101"],
  ];
  test.each(cases)("%s", async (message, given) => {
    const active = given as Active;
    const messages = await Promise.all([
      solveLoadBalanceLP({ ...problem, active }, cpu).catch((error) => error),
      solveLoadBalanceLP(problem, { ...cpu, active }).catch((error) => error),
      createSolver(placement, { ...cpu, active }).catch((error) => error),
      createSolver({ ...problem, active }, cpu).catch((error) => error),
      measureImbalance({ placement, counts: expertLoad, active }, cpu).catch((error) => error),
    ]);
    for (const error of messages) {
      expect(error).toBeInstanceOf(ArgumentError);
      expect(error.message).toBe(message);
    }
    const solution = await solveLoadBalanceLP(problem, cpu);
    expect(() => certify({ ...problem, active }, solution)).toThrow(`problem.${message}`);
    expect(() => expertPrice({ ...problem, active }, solution)).toThrow(`problem.${message}`);
  });

  test("in two places it must be the same", async () => {
    const active = [true, true, false];
    const twice = (option: Active) => solveLoadBalanceLP({ ...problem, active }, { ...cpu, active: option });
    expect((await twice([1, 1, 0])).maxLoad[0]).toBe(18);
    await expect(twice([1, 0, 1])).rejects.toThrow(/^options\.active: expected none, or the same GPUs/);
    const solver = await createSolver(placement, { ...cpu, active });
    expect((await solver.solve({ ...problem, active: [1, 1, 0] } as typeof problem)).maxLoad[0]).toBe(18);
    expect((await solver.solve(problem)).lost).toEqual([3]);
    await expect(solver.solve({ ...problem, active: [1, 0, 1] } as typeof problem)).rejects.toThrow(
      /^loads\.active: expected none, or the GPUs that are active in the solver/,
    );
  });

  test("the edge form has none", async () => {
    const graph = { gpus: 2, edges: [[0, 1]] };
    const edges = { ...graph, load: [9, 1], capacity: [4] };
    const active = [1, 1];
    const message = /^active: expected none in the edge form, got Array of length 2/;
    await expect(solveLoadBalanceLP({ ...edges, active } as typeof edges, cpu)).rejects.toThrow(message);
    await expect(solveLoadBalanceLP(edges, { ...cpu, active })).rejects.toThrow(message);
    await expect(createSolver(graph, { ...cpu, active })).rejects.toThrow(message);
    await expect(createSolver({ ...graph, active } as typeof graph, cpu)).rejects.toThrow(message);
    const solution = await solveLoadBalanceLP(edges, cpu);
    expect(() => certify({ ...edges, active } as typeof edges, solution)).toThrow(message);
  });
});

test("a solution that does not say who is lost is none", async () => {
  const problem = { placement, expertLoad };
  const { lost: _, ...solution } = await solveLoadBalanceLP(problem, cpu);
  expect(() => certify(problem, solution as never)).toThrow(/^solution\.lost: expected an array of experts/);
});
