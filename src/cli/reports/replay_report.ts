import { createBalancer } from "../../balancer/balancer.ts";
import type { Balanced, LayerStatus } from "../../balancer/types.ts";
import type { BackendName } from "../../lp/solution.ts";
import type { SolverOptions } from "../../lp/solver_options.ts";
import type { TopkHistory } from "../files/topk_file.ts";
import { pause } from "../interruption.ts";
import {
  deadGpus,
  type Imbalance,
  inOrder,
  livingGpus,
  ofSplits,
  ratio,
  type SplitName,
  splits,
  summarise,
} from "./split_imbalance.ts";
import { type Dropped, type Placed, replicasOf, unionOf } from "./step_split.ts";

/** Everything that `replay` has to say; `replay --json` prints it as it is. */
export interface ReplayReport extends Record<SplitName, Imbalance> {
  source: string;
  placedBy: string;
  gpus: number;
  experts: number;
  redundant: number;
  /** GPUs that died: nothing is sent there, and all imbalances are among the others. */
  dead: number[];
  layers: number;
  topK: number;
  /** Steps of a layer in which no token came, which are neither fitted to nor measured. */
  dropped: Dropped;
  /** Steps that are measured in some layer. */
  replayedSteps: number[];
  /** Ids that were sent to a slot. */
  assignments: number;
  /** Ids in these steps that were no expert, */
  outOfRange: number;
  /** and those of experts without a slot on a living GPU. */
  unserved: number;
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
  placed: Placed,
  backend: SolverOptions["backend"],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<ReplayReport> {
  const { placements, placedBy, active, measured, dropped } = placed;
  const { source, layers, topK, maxTokens } = history;
  const balancer = await createBalancer({ placement: placements, active, topK, maxTokens, backend });
  const tally = new Tally(placed);
  const ms: number[] = [];
  const steps = unionOf(measured);
  for (const [i, step] of steps.entries()) {
    await pause(signal);
    const ids = history.idsOf(step);
    const start = performance.now();
    const balanced = await balancer.balance(ids);
    ms.push(performance.now() - start);
    tally.add(step, balanced);
    onProgress((i + 1) / steps.length);
  }
  balancer.destroy();
  ms.sort((a, b) => a - b);
  const [{ gpus, logicalExperts: experts }] = placements;
  return {
    ...{ source, placedBy, gpus, experts, redundant: replicasOf(placements) },
    dead: deadGpus(gpus, active),
    ...{ layers, topK, dropped, replayedSteps: steps },
    ...tally.sums(),
    ms: { median: ms[Math.floor(ms.length / 2)], p95: ms[Math.round(0.95 * (ms.length - 1))] },
    backend: balancer.backend,
    reason: balancer.reason,
    adapter: balancer.device?.adapterInfo.description,
  };
}

/** What became of the steps: stray ids of all layers of a step, all else of its measured layers alone. */
class Tally {
  private readonly status: ReplayReport["status"] = {};
  private assignments = 0;
  private outOfRange = 0;
  private unserved = 0;
  /** [L] one of each measured step. */
  private readonly imbalances: Record<SplitName, number[]>[];
  private readonly isMeasured: Set<number>[];

  constructor(private readonly placed: Placed) {
    this.imbalances = placed.placements.map(() => ofSplits(() => []));
    this.isMeasured = placed.measured.map((own) => new Set(own));
  }

  add(step: number, balanced: Balanced): void {
    const { placements, active } = this.placed;
    const living = livingGpus(placements[0].gpus, active).length;
    for (const [layer, own] of this.imbalances.entries()) {
      this.outOfRange += balanced.outOfRange[layer];
      this.unserved += balanced.unserved[layer];
      if (!this.isMeasured[layer].has(step)) continue;
      const status = balanced.status[layer];
      this.status[status] = (this.status[status] ?? 0) + 1;
      this.assignments += balanced.before.mean[layer] * living;
      const imbalance = imbalanceOf(balanced, layer, this.placed);
      for (const name of splits) own[name].push(imbalance[name]);
    }
  }

  /** Its part of the report. */
  sums() {
    const { assignments, outOfRange, unserved, status, imbalances } = this;
    return {
      ...{ assignments: Math.round(assignments), outOfRange, unserved, status },
      ...ofSplits((name) => summarise(imbalances.flatMap((layer) => layer[name]))),
      perLayer: imbalances.map((layer) => ({
        ...ofSplits((name) => summarise(layer[name])),
        batches: layer.solved.length,
      })),
    };
  }
}

/** Of the loads, which are exact: the balancer's own ratios are f32 on WebGPU. */
function imbalanceOf(
  { counts, before, after, lost }: Balanced,
  layer: number,
  { placements, active }: Placed,
): Record<SplitName, number> {
  const { gpus, logicalExperts: experts } = placements[layer];
  const own = counts.slice(layer * experts, (layer + 1) * experts);
  for (const e of lost[layer]) own[e] = 0;
  const mean = before.mean[layer];
  return {
    originals: ratio(Math.max(...inOrder(own, gpus, active)), mean),
    even: ratio(before.max[layer], mean),
    solved: ratio(after.max[layer], mean),
  };
}
