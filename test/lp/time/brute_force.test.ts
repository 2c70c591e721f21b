/** Time against every split: every kind of cost, on both backends. 20,000 instances are `npm run test:exhaustive -- time 20000`. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { Placement, solveLoadBalanceLP, type TimedSolution } from "../../../src/index.ts";
import { sweepTimes } from "../../exhaustive/time.ts";
import { leastTime } from "../../helpers/brute_force_time.ts";
import { timeFaults } from "../../helpers/time_faults.ts";
import { costs, exactKinds } from "../../helpers/timed_problems.ts";

test("2,000 LPs: nothing sooner than possible, nothing proven that is not so, and exact where it must be", async () => {
  const summary = await sweepTimes(2000, 0);
  expect(summary.failures).toEqual([]);
  expect(summary).toMatchObject({ instances: 2000, spoiledAccepted: 0, falseProofs: 0 });
  expect(Math.min(summary.unequal, summary.based, summary.dead)).toBeGreaterThan(50);
  for (const [kind, { answers, reached, proven }] of Object.entries(summary.kinds)) {
    expect(answers, kind).toBeGreaterThan(300);
    if (exactKinds.includes(kind)) continue;
    // What a heuristic and a bound are worth: neither the one nor the other is always as good as can be.
    expect(reached / answers, kind).toBeGreaterThan(0.9);
    expect(proven / answers, kind).toBeGreaterThan(0.4);
  }
});

test("nothing to do is done at once, and proven", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 0, 0, 1, 2], { gpus: 2 });
  for (const kind of Object.keys(costs)) {
    const problem = { placement, cost: costs[kind](seeded(3)), expertLoad: [0, 0, 0] };
    for (const backend of ["cpu", "webgpu"] as const) {
      const solution = (await solveLoadBalanceLP(problem, { backend })) as TimedSolution;
      expect(timeFaults(problem, solution, [0], true), `${kind}, ${backend}`).toEqual([]);
    }
  }
});

test.each([
  ["affine", 10.8, 16.5, [[0, 0, 1], [0], [1, 2, 2, 2]], [3, 7, 5]],
  [
    "roofline",
    8.25,
    2,
    [
      [0, 1, 1],
      [1, 2, 2, 2],
      [0, 0],
    ],
    [1, 3, 1],
  ],
  [
    "affine",
    4,
    1,
    [
      [0, 2, 2, 2],
      [0, 1],
      [1, 1],
    ],
    [6, 3, 5],
  ],
] as const)("an expert three times on a GPU, %s %f, %f", async (model, perExpert, perToken, held, loads) => {
  const slotsPerGpu = held.map(({ length }) => length);
  const placement = Placement.fromPhysicalToLogical(held.flat(), { gpus: 3, slotsPerGpu });
  const problem = { placement, cost: { model, perExpert, perToken }, expertLoad: [...loads] };
  const optimum = leastTime(problem, 0);
  for (const backend of ["cpu", "webgpu"] as const) {
    const solution = (await solveLoadBalanceLP(problem, { backend })) as TimedSolution;
    expect(timeFaults(problem, solution, [optimum], false)).toEqual([]);
    expect(solution.maxTime[0], backend).toBeCloseTo(optimum, 9);
  }
});
