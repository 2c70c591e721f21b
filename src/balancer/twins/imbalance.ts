import type { Slots } from "../../placement/living_slots.ts";
import { ofLayer } from "../../placement/per_layer.ts";
import type { ImbalanceReport } from "../kernels/imbalance.ts";

/**
 * f64 twin of shaders/balancer/imbalance.wgsl: loads, active experts and metrics of L layers, a placement for each or one for all, under `quota` [L, P].
 *
 * @param active  [G] 1 where a GPU is alive: others are out of it. All are, if undefined.
 * @param base  [L, G] tokens besides, of which those of dead GPUs are not read. None, if undefined.
 */
export function imbalance(
  placements: readonly Slots[],
  layers: number,
  quota: ArrayLike<number>,
  active?: Uint8Array,
  base?: ArrayLike<number>,
): ImbalanceReport {
  const { gpus, physicalExperts: slots } = placements[0];
  const report: ImbalanceReport = {
    gpuLoad: new Int32Array(layers * gpus),
    max: new Int32Array(layers),
    mean: new Float64Array(layers),
    imbalance: new Float64Array(layers),
    balancedness: new Float64Array(layers),
    idleTokens: new Float64Array(layers),
    variation: new Float64Array(layers),
    hottestGpu: new Int32Array(layers),
    activeExperts: new Int32Array(layers * gpus),
    maxActiveExperts: new Int32Array(layers),
  };
  for (let layer = 0; layer < layers; layer++) {
    const load = report.gpuLoad.subarray(layer * gpus, (layer + 1) * gpus);
    const busy = report.activeExperts.subarray(layer * gpus, (layer + 1) * gpus);
    const { gpuOf } = ofLayer(placements, layer);
    for (let slot = 0; slot < slots; slot++) {
      const tokens = quota[layer * slots + slot];
      load[gpuOf[slot]] += tokens;
      if (tokens > 0) busy[gpuOf[slot]]++;
    }
    for (let g = 0; base && g < gpus; g++) if (active?.[g] !== 0) load[g] += base[layer * gpus + g];
    const living = load.filter((_, g) => active?.[g] !== 0);
    const max = living.reduce((a, b) => Math.max(a, b));
    const sum = living.reduce((a, b) => a + b);
    const mean = sum / living.length;
    const squares = living.reduce((total, tokens) => total + (tokens - mean) ** 2, 0);
    report.max[layer] = max;
    report.mean[layer] = mean;
    report.imbalance[layer] = sum === 0 ? 1 : max / mean;
    report.balancedness[layer] = sum === 0 ? 1 : mean / max;
    report.idleTokens[layer] = living.length * max - sum;
    report.variation[layer] = sum === 0 ? 0 : Math.sqrt(squares / living.length) / mean;
    report.hottestGpu[layer] = load.findIndex((tokens, g) => tokens === max && active?.[g] !== 0);
    report.maxActiveExperts[layer] = busy.reduce((a, b) => Math.max(a, b));
  }
  return report;
}
