import { expect, test } from "vitest";
import { searchThreshold, thresholdSearch } from "../../bench/baselines/threshold.ts";
import { judge } from "../../bench/method.ts";
import { maxLoad, type Workload } from "../../bench/workloads.ts";
import { requestDevice } from "../../src/index.ts";
import { graphs, models, percent } from "./workloads.ts";

const { device } = await requestDevice();
const workloads = Object.entries({ ...graphs, ...models });

/** Mean excess over the optimum that an even split leaves. */
function evenGap(work: Workload): number {
  let sum = 0;
  for (let lp = 0; lp < work.batch; lp++) {
    const { topology } = work.layers[lp % work.layers.length];
    const { experts, replicaStart, replicaGpu } = topology;
    const x = new Float64Array(replicaGpu.length);
    for (let e = 0; e < experts; e++) {
      const [first, end] = [replicaStart[e], replicaStart[e + 1]];
      x.fill(work.loads.expertLoad[lp * experts + e] / (end - first), first, end);
    }
    sum += maxLoad(work, lp, x) / work.optimum.integer[lp] - 1;
  }
  return sum / work.batch;
}

test.each(workloads)("%s: the kernel is its twin to the token, and far better than an even split", async (_, work) => {
  const prepared = await thresholdSearch(device).prepare(work);
  await prepared.run();
  const answer = prepared.answer();
  const { gapMean, gapMax } = judge(work, "integer", answer);
  for (let lp = 0; lp < work.batch; lp++) {
    expect(Array.from(answer(lp)), `LP ${lp}`).toEqual(Array.from(searchThreshold(work, lp)));
  }
  prepared.destroy();
  const even = evenGap(work);
  console.log(`${work.name}: mean gap ${percent(gapMean)}, at most ${percent(gapMax)}, even split ${percent(even)}`);
  expect(gapMean).toBeLessThan(even / 2);
});
