import { createBalancer } from "../balancer/balancer.ts";
import type { Balanced, LayerStatus } from "../balancer/types.ts";
import type { BackendName } from "../solution.ts";
import type { SolverOptions } from "../solver_options.ts";
import { pause } from "./interruption.ts";
import { type Imbalance, ofSplits, type SplitName, splits, summarise } from "./split_imbalance.ts";
import { type Dropped, type Placed, unionOf } from "./step_split.ts";
import type { TopkHistory } from "./topk_file.ts";

/** Everything that `replay` has to say; `replay --json` prints it as it is. */
export interface ReplayReport extends Record<SplitName, Imbalance> {
  source: string;
  placedBy: string;
  gpus: number;
  experts: number;
  redundant: number;
  layers: number;
  topK: number;
  /** Steps of a layer in which no token came, which are neither fitted to nor measured. */
  dropped: Dropped;
  /** Steps that are measured in some layer. */
  replayedSteps: number[];
  /** Ids that were sent to a slot. */
  assignments: number;
  /** Ids in these steps that were no expert. */
  outOfRange: number;
  /** Measured steps of all layers by what became of them. */
  status: Partial<Record<LayerStatus, number>>;
  /** [L] imbalances, 1 where a layer never has tokens, and measured steps. */
  perLayer: (Record<SplitName, Imbalance> & { batches: number })[];
  /** Of a call for all layers of a step, from ids to ids. */
  ms: { median: number; p95: number };
  backend: BackendName;
  /** Why this backend. */
  reason: string;
  adapter?: string;
}

/**
 * Gives the recorded ids of each step to a balancer, as a runtime would.
 *
 * @param onProgress  Called with the share of the steps that are done, 0 to 1.
 */
export async function replay(
  history: TopkHistory,
  { placements, placedBy, measured, dropped }: Placed,
  backend: SolverOptions["backend"],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<ReplayReport> {
  const { layers, topK, maxTokens } = history;
  const [{ gpus, logicalExperts: experts, physicalExperts }] = placements;
  const balancer = await createBalancer({ placement: placements, topK, maxTokens, backend });
  const imbalances = placements.map((): Record<SplitName, number[]> => ofSplits(() => []));
  const status: ReplayReport["status"] = {};
  const ms: number[] = [];
  let assignments = 0;
  let outOfRange = 0;
  const steps = unionOf(measured);
  const isMeasured = measured.map((own) => new Set(own));
  for (const [i, step] of steps.entries()) {
    await pause(signal);
    const ids = history.idsOf(step);
    const start = performance.now();
    const balanced = await balancer.balance(ids);
    ms.push(performance.now() - start);
    for (let layer = 0; layer < layers; layer++) {
      outOfRange += balanced.outOfRange[layer];
      if (!isMeasured[layer].has(step)) continue;
      const verdict = balanced.status[layer];
      status[verdict] = (status[verdict] ?? 0) + 1;
      assignments += balanced.before.mean[layer] * gpus;
      const ofLayer = imbalanceOf(balanced, layer, experts, gpus);
      for (const name of splits) imbalances[layer][name].push(ofLayer[name]);
    }
    onProgress((i + 1) / steps.length);
  }
  balancer.destroy();
  ms.sort((a, b) => a - b);
  return {
    source: history.source,
    placedBy,
    gpus,
    experts,
    redundant: physicalExperts - experts,
    layers,
    topK,
    dropped,
    replayedSteps: steps,
    assignments: Math.round(assignments),
    outOfRange,
    status,
    ...ofSplits((name) => summarise(imbalances.flatMap((layer) => layer[name]))),
    perLayer: imbalances.map((layer) => ({
      ...ofSplits((name) => summarise(layer[name])),
      batches: layer.solved.length,
    })),
    ms: { median: ms[Math.floor(ms.length / 2)], p95: ms[Math.round(0.95 * (ms.length - 1))] },
    backend: balancer.backend,
    reason: balancer.reason,
    adapter: balancer.device?.adapterInfo.description,
  };
}

/** Of the loads, which are exact: the balancer's own ratios are f32 on WebGPU. */
function imbalanceOf(
  { counts, before, after }: Balanced,
  layer: number,
  experts: number,
  gpus: number,
): Record<SplitName, number> {
  const inOrder = new Float64Array(gpus);
  for (let e = 0; e < experts; e++) inOrder[Math.floor((e * gpus) / experts)] += counts[layer * experts + e];
  const mean = before.mean[layer];
  return { originals: Math.max(...inOrder) / mean, even: before.max[layer] / mean, solved: after.max[layer] / mean };
}
