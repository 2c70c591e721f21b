/** What judges answers about time, judged: two searches that share nothing, and proofs word for word. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { certify, Placement, solveLoadBalanceLP, type TimedSolution } from "../../../src/index.ts";
import { leastTimeByBounds } from "../../helpers/branch_and_bound_time.ts";
import { leastTime } from "../../helpers/brute_force_time.ts";
import { falseProofs, near, spoiledTimes, timeFaults } from "../../helpers/time_faults.ts";
import { leastWork, provesTimeBound } from "../../helpers/time_proof.ts";
import { costOf, costs, type TimedProblem, timedProblem } from "../../helpers/timed_problems.ts";

test("brute force and branch and bound find the same least times, of every kind of cost", () => {
  for (const kind of Object.keys(costs)) {
    for (let seed = 0; seed < 12; seed++) {
      const problem = timedProblem(seeded(5000 + seed), kind, 5);
      for (let lp = 0; lp < 5; lp++) {
        const times = [leastTime(problem, lp), leastTimeByBounds(problem, lp)];
        expect(near(times[0], times[1]), `${kind}, seed ${5000 + seed}, LP ${lp}: ${times}`).toBe(true);
      }
    }
  }
});

/** Expert 0 on GPU 0 and twice on GPU 1, expert 1 on both, expert 2 on GPU 1. */
const placement = Placement.fromPhysicalToLogical([0, 1, 0, 0, 1, 2], { gpus: 2, slotsPerGpu: [2, 4] });
const activated: TimedProblem = {
  placement,
  cost: { model: "roofline", perExpert: 6, perToken: 0 },
  expertLoad: [9, 5, 1],
  baseLoad: [1, 0],
};

test("by hand", () => {
  // Of three experts one GPU has two, the one without a base load.
  expect(leastTime(activated, 0)).toBe(12);
  const roofline: TimedProblem = { ...activated, cost: { model: "roofline", perExpert: 6, perToken: 1 } };
  // Expert 0 alone on GPU 0, 1 + 9, and the others on GPU 1, 6 each.
  expect(leastTime(roofline, 0)).toBe(12);
  // Three tokens in a slot take 1, and each one more 49: experts 0 and 1 fill a slot of GPU 0 each, and GPU 1 has 9 tokens.
  const stairs: TimedProblem = { ...activated, cost: { tokens: [3, 4], time: [1, 50] }, baseLoad: undefined };
  for (const least of [leastTime, leastTimeByBounds]) {
    expect(near(least(stairs, 0), 3)).toBe(true);
    expect(near(least({ ...stairs, active: [false, true] }, 0), 1 + 148 + 99 + 1 / 3)).toBe(true);
  }
});

test("the least work of a split is that of the best of all", () => {
  const random = seeded(6);
  for (const kind of Object.keys(costs)) {
    const cost = costs[kind](random);
    const c = costOf(cost);
    for (let w = 0; w <= 15; w++) {
      let [two, three] = [c(w), c(w)];
      for (let x = 0; x <= w; x++) {
        two = Math.min(two, c(x) + c(w - x));
        for (let y = 0; x + y <= w; y++) three = Math.min(three, c(x) + c(y) + c(w - x - y));
      }
      expect(leastWork({ cost }, w, 1)).toBe(c(w));
      for (const [parts, least] of [
        [2, two],
        [3, three],
      ])
        expect(Math.abs(leastWork({ cost }, w, parts) - least)).toBeLessThanOrEqual(1e-12 * least);
    }
  }
});

const solved = await solveLoadBalanceLP(activated, { backend: "cpu" });
const right = solved as TimedSolution;

test("a right answer has no fault, whatever has one of its figures changed has", () => {
  expect(timeFaults(activated, right, [12], true)).toEqual([]);
  expect(right).toMatchObject({ maxTime: Float64Array.of(12), timeBound: Float64Array.of(12), status: ["optimal"] });
  let spoilt = 0;
  for (const spoiled of spoiledTimes(right)) {
    expect(timeFaults(activated, spoiled, [12], true).length, JSON.stringify(spoiled)).toBeGreaterThan(0);
    expect(certify(activated, spoiled)[0].valid).toBe(false);
    spoilt++;
  }
  expect(spoilt).toBe(7);
  const faults = (claim: Partial<TimedSolution>, optimum = 12) =>
    timeFaults(activated, { ...right, ...claim }, [optimum], false).join();
  expect(faults({}, 11)).toContain("wrongly optimal");
  expect(faults({}, 11)).toContain("a bound above the optimum");
  expect(faults({}, 13)).toContain("sooner than possible");
  expect(faults({ status: ["gap"] })).toContain("gap, with a gap of 0");
});

test("proofs: a set, a unit or a rule that proves less", () => {
  const proves = (claim: object, problem = activated) => provesTimeBound(problem, { ...right, ...claim }, 0);
  const S = { bottleneck: [[0, 1]] };
  const units = (unit: number) => ({ ...S, timeProof: [{ rule: "units", unit }] });
  const work = { ...S, timeProof: [{ rule: "work" }] };
  expect(proves(units(6))).toBe(true); // before 12 there is room for one unit on each
  expect(proves({ ...units(6), timeBound: [12.001] })).toBe(false);
  expect(proves(units(6.001))).toBe(false); // an expert costs less
  expect(proves({ ...units(6), bottleneck: [[1]] })).toBe(false); // only expert 2 lives there alone
  expect(proves({ ...units(6), bottleneck: [[]] })).toBe(false);
  expect(proves(work)).toBe(false); // (1 + 18) / 2
  expect(proves({ ...work, timeBound: [9.5] })).toBe(true);
  expect(proves({ ...work, timeBound: [9.501] })).toBe(false);
  expect(proves({ ...work, bottleneck: [[1]], timeBound: [6] })).toBe(true);
  expect(proves({ ...S, timeProof: [{ rule: "tokens" }] })).toBe(false);
  expect(falseProofs(activated, right, [12])).toBe(0);
  expect(falseProofs(activated, right, [11])).toBe(1); // 11 and a little is proven: were the optimum 11, that would be false
  // Tiles: units of 8 tokens, three of them on two GPUs, or experts, whatever their tokens.
  const tiles: TimedProblem = {
    ...activated,
    cost: { model: "affine", perExpert: 0, perToken: 1, tile: 8 },
    baseLoad: [1, 1],
  };
  expect(proves({ ...units(8), timeBound: [17] }, tiles)).toBe(true);
  expect(proves({ ...units(8), timeBound: [17] }, { ...tiles, expertLoad: [9, 16, 1] })).toBe(true);
  expect(proves({ ...units(8), timeBound: [25] }, { ...tiles, expertLoad: [17, 9, 1] })).toBe(true);
  expect(proves({ ...units(8), timeBound: [25] }, { ...tiles, expertLoad: [16, 9, 1] })).toBe(true);
  expect(proves({ ...units(8), timeBound: [25] }, { ...tiles, expertLoad: [16, 8, 1] })).toBe(false);
  // Nothing is done before a base load is.
  expect(proves({ ...units(8), timeBound: [30], bottleneck: [[1]] }, { ...tiles, baseLoad: [30, 0] })).toBe(true);
  expect(proves({ ...units(8), timeBound: [30.1], bottleneck: [[1]] }, { ...tiles, baseLoad: [30, 0] })).toBe(false);
});
