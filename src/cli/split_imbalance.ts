import type { ReplicaSolution } from "../solution.ts";
import type { Layer } from "./layer_solvers.ts";

/** Load of the busiest GPU over the mean load of all GPUs, in many LPs. */
export interface Imbalance {
  mean: number;
  p95: number;
}

/** Three ways to serve the same batches. */
export const splits = ["originals", "even", "solved"] as const;
/** The experts in order on the GPUs without replicas; equal parts for all slots of an expert; as the LP splits them. */
export type SplitName = (typeof splits)[number];

export function ofSplits<T>(value: (name: SplitName) => T): Record<SplitName, T> {
  return { originals: value("originals"), even: value("even"), solved: value("solved") };
}

/** What became of one LP. */
export interface Split {
  /** [G] tokens per GPU */
  gpuLoad: Record<SplitName, Float64Array>;
  imbalance: Record<SplitName, number>;
  /** Of the GPUs' loads. */
  mean: number;
}

/** GPU loads and imbalance of LP `lp` of a layer, which has tokens, under the three ways. */
export function splitOf({ placement, expertLoad }: Layer, { gpuLoad, maxLoad }: ReplicaSolution, lp: number): Split {
  const { gpus, logicalExperts, physicalToLogical, gpuOf, replicaCount } = placement;
  const originals = new Float64Array(gpus);
  const even = new Float64Array(gpus);
  for (let e = 0; e < logicalExperts; e++) {
    originals[Math.floor((e * gpus) / logicalExperts)] += expertLoad[lp * logicalExperts + e];
  }
  for (const [slot, e] of physicalToLogical.entries()) {
    even[gpuOf[slot]] += expertLoad[lp * logicalExperts + e] / replicaCount[e];
  }
  const mean = originals.reduce((a, b) => a + b) / gpus;
  return {
    gpuLoad: { originals, even, solved: gpuLoad.slice(lp * gpus, (lp + 1) * gpus) },
    imbalance: {
      originals: Math.max(...originals) / mean,
      even: Math.max(...even) / mean,
      solved: maxLoad[lp] / mean,
    },
    mean,
  };
}

/** Of no imbalances: 1, as nothing to do is done at once. */
export function summarise(imbalances: readonly number[]): Imbalance {
  if (imbalances.length === 0) return { mean: 1, p95: 1 };
  const values = [...imbalances].sort((a, b) => a - b);
  return {
    mean: values.reduce((a, b) => a + b) / values.length,
    p95: values[Math.round(0.95 * (values.length - 1))],
  };
}
