/** Every split of small problems, against what is answered and what is proven. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { certify, solveLoadBalanceLP, type TimedSolution } from "../../../src/index.ts";
import { costKinds, costOf, inUnits, leastTime, proves, smallTimed, type TimedProblem } from "../../helpers/timed.ts";

const PER_KIND = 200;
const WEBGPU_EVERY = 8;

function expectRight(kind: string, problem: TimedProblem, solution: TimedSolution, optimum: number): void {
  const told = JSON.stringify(problem);
  const slack = 1e-9 * Math.max(1, optimum);
  const { maxTime, timeBound, timeGap, status } = solution;
  expect(maxTime[0], told).toBeGreaterThanOrEqual(optimum - slack);
  expect(timeBound[0], told).toBeLessThanOrEqual(optimum + slack);
  if (inUnits.includes(kind)) expect([status[0], maxTime[0] <= optimum + slack], told).toEqual(["optimal", true]);
  if (status[0] === "optimal") expect(maxTime[0], told).toBeLessThanOrEqual(optimum + slack);
  expect(status[0], told).toBe(timeGap[0] <= 1e-9 ? "optimal" : "gap");
  expect(timeGap[0], told).toBe(maxTime[0] === timeBound[0] ? 0 : (maxTime[0] - timeBound[0]) / maxTime[0]);
  expect(proves(problem, solution), told).toBe(true);
  expect(certify(problem, solution)[0], told).toMatchObject({ valid: true, timeTrue: true, timeBoundValid: true });
  expectTimes(problem, solution);
}

function expectTimes(
  { placement, baseLoad, speed, active, cost }: TimedProblem,
  { quota, time, maxTime }: TimedSolution,
) {
  const { gpus } = placement;
  const perGpu = quota.length / gpus;
  const c = costOf(cost);
  const times = Array.from({ length: gpus }, (_, g) => {
    if (active?.[g] === 0) return 0;
    const slots = Array.from(quota.subarray(g * perGpu, (g + 1) * perGpu), c);
    return slots.reduce((a, b) => a + b, baseLoad?.[g] ?? 0) / (speed?.[g] ?? 1);
  });
  for (const [g, at] of times.entries()) expect(time[g]).toBeCloseTo(at, 9);
  expect(maxTime[0]).toBe(Math.max(...time.filter((_, g) => active?.[g] !== 0)));
}

describe.each(Object.keys(costKinds))("a cost that is %s", (kind) => {
  test("is balanced as brute force finds it where it comes in units, never beyond the bound, and never said to be better", async () => {
    let optimal = 0;
    for (let seed = 0; seed < PER_KIND; seed++) {
      const problem = smallTimed(seeded(seed), kind);
      const optimum = leastTime(problem);
      const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
      expectRight(kind, problem, solution, optimum);
      if (solution.maxTime[0] <= optimum + 1e-9) optimal++;
    }
    expect(optimal).toBeGreaterThan(0.85 * PER_KIND); // of the general case a few are missed
  });

  test("is the same on WebGPU", async () => {
    for (let seed = 0; seed < PER_KIND; seed += WEBGPU_EVERY) {
      const problem = smallTimed(seeded(seed), kind);
      expectRight(kind, problem, await solveLoadBalanceLP(problem, { backend: "webgpu" }), leastTime(problem));
    }
  });
});
