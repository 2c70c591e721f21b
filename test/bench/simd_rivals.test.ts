/** The rivals as text: on numbers and as SIMD they do what their twins do. */
import { describe, expect, test } from "vitest";
import { balanceEdges, TOLERANCE, tokensFrom } from "../../bench/baselines/edge_balance.ts";
import { balanceEdgesText } from "../../bench/baselines/edge_balance_text.ts";
import { edgeBalanceSimd, thresholdSimd } from "../../bench/baselines/simd_rivals.ts";
import { choicesOf, type MethodText } from "../../bench/baselines/simd_text.ts";
import { searchThreshold } from "../../bench/baselines/threshold.ts";
import { searchThresholdText } from "../../bench/baselines/threshold_text.ts";
import { judge } from "../../bench/method.ts";
import { choosers, firstOf, fixedLoad, tokensOf, type Workload } from "../../bench/workloads.ts";
import { numbers } from "../../src/lp/text/field.ts";
import { graphs, models, percent } from "./workloads.ts";

const workloads = Object.entries({ ...graphs, ...models });

/** Tokens per replica by the text on numbers, [R]. */
function onNumbers(text: MethodText, work: Workload, lp: number): number[] {
  const { topology } = work.layers[lp % work.layers.length];
  const several = choosers(topology);
  const tokens = several.map((e) => tokensOf(work, lp, e));
  const x = text(numbers, choicesOf(topology), [...fixedLoad(work, lp)], tokens);
  const all = Array.from({ length: topology.experts }, (_, e) => [tokensOf(work, lp, e)]);
  for (const [i, e] of several.entries()) all[e] = [...x[i]];
  return all.flat();
}

/** [G] */
function gpuLoads(work: Workload, lp: number, x: ArrayLike<number>): number[] {
  const { replicaGpu, gpus } = work.layers[lp % work.layers.length].topology;
  const load = Array.from({ length: gpus }, (_, g) => work.loads.baseLoad?.[lp * gpus + g] ?? 0);
  for (const [r, g] of replicaGpu.entries()) load[g] += x[r];
  return load;
}

/** A batch that ends within four LPs. */
const odd = (work: Workload) => firstOf(work, work.batch - 3);

async function answerOf(method: typeof edgeBalanceSimd, work: Workload) {
  const prepared = await method.prepare(work);
  await prepared.run();
  return prepared.answer();
}

describe.each(workloads)("%s", (_, all) => {
  const work = odd(all);

  test("the threshold search is its twin to the token", async () => {
    const answer = await answerOf(thresholdSimd, work);
    judge(work, "integer", answer);
    for (let lp = 0; lp < work.batch; lp++) {
      const twin = Array.from(searchThreshold(work, lp));
      expect(Array.from(answer(lp)), `LP ${lp}`).toEqual(twin);
      expect(onNumbers(searchThresholdText, work, lp), `LP ${lp}, numbers`).toEqual(twin);
    }
  });

  /** Where sweeps end, loads are those of the least sum of squares, which are unique; splits need not be. */
  test("edge balancing gives every GPU the load that its twin gives it", async () => {
    const answer = await answerOf(edgeBalanceSimd, work);
    const { gapMean, gapMax } = judge(work, "fractional", answer);
    let farthest = 0;
    for (let lp = 0; lp < work.batch; lp++) {
      const twin = gpuLoads(work, lp, tokensFrom(work, lp, balanceEdges(work, lp)));
      const mean = twin.reduce((a, b) => a + b) / twin.length;
      for (const x of [answer(lp), onNumbers(balanceEdgesText, work, lp)]) {
        for (const [g, load] of gpuLoads(work, lp, x).entries()) {
          farthest = Math.max(farthest, Math.abs(load - twin[g]) / mean);
        }
      }
    }
    console.log(`${work.name}: gap ${percent(gapMean)}, at most ${percent(gapMax)}, loads within ${farthest}`);
    // What is left when a sweep moves TOLERANCE, of the twin: sweeps gain a tenth each on tori, and a GPU has four pairs there.
    expect(farthest).toBeLessThan(40 * TOLERANCE);
    expect(gapMean).toBeLessThan(2e-6);
    expect(gapMax).toBeLessThan(2e-5);
  });
});
