import { createBalancer } from "../../balancer/balancer.ts";
import type { Balanced, LayerStatus } from "../../balancer/types.ts";
import type { BackendName } from "../../lp/solution.ts";
import type { SolverOptions } from "../../lp/solver_options.ts";
import type { CostFile } from "../files/cost_file.ts";
import type { TopkHistory } from "../files/topk_file.ts";
import { pause } from "../interruption.ts";
import { warn } from "../print/warning.ts";
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
import { type TimeReport, TimeTally } from "./split_times.ts";
import { beyondInWords } from "./step_loads.ts";
import { type Dropped, type Placed, replicasOf, unionOf } from "./step_split.ts";
import type { TrafficStudy } from "./traffic_study.ts";

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
  /** With a cost. */
  time?: TimeReport;
  /** With distances. */
  traffic?: TrafficStudy;
}

/**
 * Gives the recorded ids of each step to a balancer, as a runtime would.
 *
 * @param choice.cost  then it takes times, too: once all steps are replayed, those of a layer in one batch.
 * @param onProgress  Called with the share of the steps that are done, 0 to 1.
 */
export async function replay(
  history: TopkHistory,
  placed: Placed,
  { backend, cost }: { backend: SolverOptions["backend"]; cost: CostFile | undefined },
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<ReplayReport> {
  const { placements, placedBy, active, measured, dropped } = placed;
  const { source, layers, topK, maxTokens } = history;
  const balancer = await createBalancer({ placement: placements, active, topK, maxTokens, backend });
  const tally = new Tally(placed, cost !== undefined);
  const ms: number[] = [];
  const steps = unionOf(measured);
  const work = steps.length + (cost ? placements.length : 0);
  for (const [i, step] of steps.entries()) {
    await pause(signal);
    const ids = history.idsOf(step);
    const start = performance.now();
    const balanced = await balancer.balance(ids);
    ms.push(performance.now() - start);
    tally.add(step, balanced);
    onProgress((i + 1) / work);
  }
  balancer.destroy();
  const time =
    cost && (await timesOf(tally, cost, backend, (layers) => onProgress((steps.length + layers) / work), signal));
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
    ...(time && { time }),
  };
}

/** @param onLayer  called with the number of layers that are done. */
async function timesOf(
  { placed, kept }: Tally,
  cost: CostFile,
  backend: SolverOptions["backend"],
  onLayer: (layers: number) => void,
  signal: AbortSignal,
): Promise<TimeReport> {
  const times = new TimeTally(cost, 1);
  const warning = beyondInWords({ loads: joined(kept.flatMap(({ counts }) => counts)) }, cost, false);
  if (warning !== undefined) warn(warning);
  for (const [layer, { counts, quota }] of kept.entries()) {
    await pause(signal);
    const own = { placement: placed.placements[layer], active: placed.active, expertLoad: joined(counts) };
    await times.add(own, joined(quota), { backend }, signal);
    onLayer(layer + 1);
  }
  return times.report();
}

function joined(rows: readonly Int32Array[]): Float64Array {
  const all = new Float64Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
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
  /** [L] counts [E] and quotas [P] of each measured step, where they are kept. */
  readonly kept: { counts: Int32Array[]; quota: Int32Array[] }[];

  constructor(
    readonly placed: Placed,
    keeps: boolean,
  ) {
    this.kept = keeps ? placed.placements.map(() => ({ counts: [], quota: [] })) : [];
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
      const { logicalExperts: experts, physicalExperts: slots } = placements[layer];
      this.kept[layer]?.counts.push(balanced.counts.slice(layer * experts, (layer + 1) * experts));
      this.kept[layer]?.quota.push(balanced.quota.slice(layer * slots, (layer + 1) * slots));
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
