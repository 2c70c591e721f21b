/** What do the balancer's stages cost at a million assignments, against a kernel that only copies as many bytes? */

import { seeded } from "../src/common/random.ts";
import { createBalancer, Placement, rebalanceExperts } from "../src/index.ts";
import { toTopology } from "../src/lp/forms.ts";
import { copyTime, gpuTiming } from "./copy.ts";
import type { Bench } from "./harness.ts";

const QUESTION = "balancer-stages";
const TOP_K = 8;
const TOKENS = 125_000; // a million assignments
const SHAPE = { gpus: 8, experts: 128, redundant: 16 };

export async function balancerStages(bench: Bench): Promise<void> {
  const { device } = bench;
  if (!device.features.has("timestamp-query")) {
    bench.note(`${QUESTION}: this device has no timestamps, so its stages cannot be told apart`);
    return;
  }
  const { gpus, experts, redundant } = SHAPE;
  const random = seeded(1);
  const ids = Int32Array.from({ length: TOKENS * TOP_K }, () => Math.floor(random.next() ** 1.5 * experts));
  const weight = new Float64Array(experts);
  for (const id of ids) weight[id]++;
  const { physicalToLogical } = rebalanceExperts([weight], { replicas: experts + redundant, gpus });
  const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus });
  const topology = toTopology(placement, undefined);
  const work = { name: "EP8 R16", layers: [{ form: placement, topology }], batch: 1 };

  await bench.wake();
  const copied = await copyTime(device, ids.length, bench.effort);
  bench.row(QUESTION, "copy of a word per assignment", work, copied);
  const balancer = await createBalancer({ placement, topK: TOP_K, maxTokens: TOKENS, device, timestamps: true });
  const samples: Record<string, number[]> = {};
  let seen: Record<string, number> = {};
  for (let i = 0; i < bench.effort.leastSamples + 1; i++) {
    const { status } = await balancer.balance(ids);
    if (status[0] !== "optimal") throw new Error(`The balancer's answer is "${status[0]}".`);
    const total = balancer.metrics().stageUs ?? {};
    for (const [stage, us] of Object.entries(total)) {
      samples[stage] ??= [];
      if (i > 0) samples[stage].push(us - seen[stage]); // the first call warms up
    }
    seen = total;
  }
  balancer.destroy();
  for (const [stage, us] of Object.entries(samples)) {
    const timing = gpuTiming(us);
    bench.row(QUESTION, `evenkeel ${stage}`, work, timing);
    const ratio = timing.medianUs / copied.medianUs;
    bench.note(`1,000,000 assignments: ${stage} takes ${ratio.toFixed(2)} x a copy of a word per assignment`);
  }
}
