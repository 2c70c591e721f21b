import type { Curve } from "../../lp/time/expert_cost.ts";
import type { Slots } from "../../placement/living_slots.ts";
import { ofLayer } from "../../placement/per_layer.ts";
import type { TimeReport } from "../kernels/time_imbalance.ts";

/** What times are made of. */
export interface Timed {
  readonly cost: Curve;
  /** [G] */
  readonly speeds: ArrayLike<number>;
  /** [L, G] time; 0 if undefined. */
  readonly base: ArrayLike<number> | undefined;
  /** [G] 1 where a GPU is alive; all are, if undefined. */
  readonly active: Uint8Array | undefined;
}

/** f64 twin of shaders/balancer/time_imbalance.wgsl: times of L layers, a placement for each or one for all, under `quota` [L, P]. */
export function timeImbalance(
  placements: readonly Slots[],
  layers: number,
  quota: ArrayLike<number>,
  { cost, speeds, base, active }: Timed,
): TimeReport {
  const { gpus, physicalExperts: slots } = placements[0];
  const time = new Float64Array(layers * gpus);
  const report = { time, maxTime: new Float64Array(layers), timeImbalance: new Float64Array(layers) };
  const alive = [...Array(gpus).keys()].filter((g) => active?.[g] !== 0);
  for (let layer = 0; layer < layers; layer++) {
    const own = time.subarray(layer * gpus, (layer + 1) * gpus);
    const { gpuOf } = ofLayer(placements, layer);
    if (base) for (const g of alive) own[g] = base[layer * gpus + g];
    for (let slot = 0; slot < slots; slot++) own[gpuOf[slot]] += cost.time(quota[layer * slots + slot]);
    let sum = 0;
    for (const g of alive) {
      own[g] /= speeds[g];
      sum += own[g];
      report.maxTime[layer] = Math.max(report.maxTime[layer], own[g]);
    }
    report.timeImbalance[layer] = sum > 0 ? report.maxTime[layer] / (sum / alive.length) : 1;
  }
  return report;
}
