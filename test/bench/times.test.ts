/** What balancing time is worth, on the loads that `npm run bench -- --only time` prints it of; and the strongest that knows of tokens alone. */
import { describe, expect, test } from "vitest";
import { closeSlots } from "../../bench/baselines/fewest_slots.ts";
import { compareSteps, fluctuating, Means } from "../../bench/compared_times.ts";
import { seeded } from "../../src/common/random.ts";
import {
  certify,
  type ExpertCost,
  expertCostRows,
  fitExpertCost,
  Placement,
  rebalanceExperts,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { randomPlacement } from "../helpers/instances.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent, recordedJson } from "../helpers/recorded.ts";
import { provesTimeBound } from "../helpers/time_proof.ts";

/** Starts of the search are among them: what it ends in is no worse. */
const never = { "token-optimal": 0, "unit-optimal": 0, "even split": 0 };

describe(`gpt-oss decode, all layers, the second half of the steps ${needsRecordedData}`, () => {
  const steps: number[][][] = recordedDataPresent ? recordedJson("moe/gptoss20b_decode_step_loads.json.gz").loads : [];
  const layers = [...Array(24).keys()];
  const compared = async (redundant: number, cost: ExpertCost, every = 1) => {
    const means = new Means();
    const kept = steps.filter((_, i) => i % every === 0);
    for (const layer of layers)
      await compareSteps(
        means,
        kept.map((step) => step[layer]),
        8,
        redundant,
        cost,
      );
    console.log(`R${redundant}, ${"model" in cost ? cost.model : "measured"}: ${means.inWords()}`);
    return means;
  };
  const roofline: ExpertCost = { model: "roofline", perExpert: 6.3, perToken: 0.035 };

  test.runIf(recordedDataPresent).each([
    [8, 1.1],
    [16, 1.42],
  ])("R%i: at the bound in 99 %, and by tokens it takes %f times as long", async (redundant, least) => {
    const means = await compared(redundant, roofline);
    expect(means.lps).toBe(24 * 256);
    expect(means.sooner).toMatchObject(never);
    expect(means.closed / means.lps).toBeGreaterThanOrEqual(0.99);
    expect(means.over("token-optimal")).toBeGreaterThanOrEqual(least);
    expect(means.over("levelled")).toBeGreaterThanOrEqual(least);
  });

  test.runIf(recordedDataPresent).each([
    [8, 0.03],
    [16, 0.045],
  ])("R%i, by the curve of an RTX PRO 6000: a mean gap of at most %f", async (redundant, most) => {
    const table = recordedBytes("perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_moe.csv").toString();
    const means = await compared(redundant, fitExpertCost(expertCostRows(table, { topK: 8 })).cost, 4);
    expect(means.sooner).toMatchObject(never);
    expect(means.meanGap).toBeLessThanOrEqual(most);
  });

  test.runIf(recordedDataPresent)("proofs of a layer, word for word", async () => {
    const loads = steps.map((step) => step[3]);
    const { physicalToLogical } = rebalanceExperts([loads[0]], { replicas: 48, gpus: 8 });
    const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus: 8 });
    const batch = loads.filter((_, i) => i % 25 === 0);
    const problem = { placement, expertLoad: batch.flat(), cost: roofline };
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const proven = batch.map((_, lp) => provesTimeBound(problem, solution, lp));
    expect([proven.includes(false), proven.length]).toEqual([false, 21]);
    expect(certify(problem, solution).every(({ valid }) => valid)).toBe(true);
  });
});

describe("256 experts of any popularity", () => {
  const cost: ExpertCost = { model: "roofline", perExpert: 16.5, perToken: 0.06 };
  // Of 16,384 assignments on 8 GPUs most experts cost a unit and a few of them more: the bound counts the one or the other.
  test.each([
    [512, 8, 16, 0.001],
    [512, 32, 32, 0],
    [4096, 8, 16, 0.001],
    [4096, 32, 32, 0.001],
    [16_384, 8, 16, 0.02],
    [16_384, 32, 32, 0.001],
    [65_536, 8, 16, 0.01],
    [65_536, 32, 32, 0.01],
    [262_144, 8, 16, 0.001],
    [262_144, 32, 32, 0.001],
  ])("%i assignments on EP%i R%i: a mean gap of at most %f", async (assignments, gpus, redundant, most) => {
    const means = new Means();
    for (const layer of [0, 1])
      await compareSteps(means, fluctuating(256, assignments, 60, layer), gpus, redundant, cost);
    console.log(`${assignments}, EP${gpus} R${redundant}: ${means.inWords()}`);
    expect(means.lps).toBe(60);
    expect(means.sooner).toMatchObject(never);
    expect(means.meanGap).toBeLessThanOrEqual(most);
  });
});

test("fewest slots: the loads of an optimum, and no slot that could be closed is open", async () => {
  let closed = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    const placement = randomPlacement(random, 4, 4, 5, 3);
    const { logicalExperts, physicalToLogical, gpuOf } = placement;
    const expertLoad = Array.from({ length: logicalExperts }, () => random.below(40));
    const { quota, maxLoad } = await solveLoadBalanceLP({ placement, expertLoad }, { backend: "cpu" });
    const fewest = Int32Array.from(quota);
    closeSlots(placement, fewest, maxLoad[0]);
    const count = (quotas: ArrayLike<number>) => Array.from(quotas).filter((tokens) => tokens > 0).length;
    closed += count(quota) - count(fewest);
    const sums = (of: ArrayLike<number>, length: number) => {
      const all = new Array<number>(length).fill(0);
      for (const [p, tokens] of fewest.entries()) all[of[p]] += tokens;
      return all;
    };
    expect(sums(physicalToLogical, logicalExperts), `seed ${seed}`).toEqual(expertLoad);
    expect(Math.max(...sums(gpuOf, 4)), `seed ${seed}`).toBe(maxLoad[0]);
    // Empty slots in the place of the closed ones and of one more: now it takes longer, or cannot be done.
    for (const [p, tokens] of fewest.entries()) {
      if (tokens === 0) continue;
      const map = physicalToLogical.map((e, q) => (q === p || fewest[q] === 0 ? -1 : e));
      const fewer = Placement.fromPhysicalToLogical(map, { gpus: 4, logicalExperts });
      const solution = await solveLoadBalanceLP({ placement: fewer, expertLoad }, { backend: "cpu" });
      expect(solution.unserved[0] > 0 || solution.maxLoad[0] > maxLoad[0], `seed ${seed}, slot ${p}`).toBe(true);
    }
  }
  expect(closed).toBeGreaterThan(20);
});
