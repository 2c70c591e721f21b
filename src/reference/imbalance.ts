import type { ImbalanceReport } from "../kernels/imbalance.ts";
import type { Placement } from "../placement/placement.ts";

/** f64 twin of shaders/imbalance.wgsl: loads, active experts and metrics of L layers, a placement for each or one for all, under `quota` [L, P]. */
export function imbalance(placements: readonly Placement[], layers: number, quota: ArrayLike<number>): ImbalanceReport {
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
    const active = report.activeExperts.subarray(layer * gpus, (layer + 1) * gpus);
    const { gpuOf } = placements[layer % placements.length];
    for (let slot = 0; slot < slots; slot++) {
      const tokens = quota[layer * slots + slot];
      load[gpuOf[slot]] += tokens;
      if (tokens > 0) active[gpuOf[slot]]++;
    }
    const max = load.reduce((a, b) => Math.max(a, b));
    const sum = load.reduce((a, b) => a + b);
    const mean = sum / gpus;
    const squares = load.reduce((total, tokens) => total + (tokens - mean) ** 2, 0);
    report.max[layer] = max;
    report.mean[layer] = mean;
    report.imbalance[layer] = sum === 0 ? 1 : max / mean;
    report.balancedness[layer] = sum === 0 ? 1 : mean / max;
    report.idleTokens[layer] = gpus * max - sum;
    report.variation[layer] = sum === 0 ? 0 : Math.sqrt(squares / gpus) / mean;
    report.hottestGpu[layer] = load.indexOf(max);
    report.maxActiveExperts[layer] = active.reduce((a, b) => Math.max(a, b));
  }
  return report;
}
