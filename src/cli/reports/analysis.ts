import type { TokenMode } from "../../lp/problem.ts";
import type { ReplicaSolution } from "../../lp/solution.ts";
import { createSolver } from "../../lp/solver.ts";
import { livingSlots } from "../../placement/living_slots.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { pause } from "../interruption.ts";
import { bestReplica, type ReplicaProposal } from "./best_replica.ts";
import type { Layer } from "./layer_solvers.ts";
import { loadsOf } from "./load_history.ts";
import { deadGpus, type Imbalance, ofSplits, type SplitName, splitOf, splits, summarise } from "./split_imbalance.ts";
import type { TimeReport, TimeTally } from "./split_times.ts";
import { type Dropped, type Placed, replicasOf, unionOf } from "./step_split.ts";
import type { TrafficStudy } from "./traffic_study.ts";

/** A share of steps, or a multiple of the mean, for one GPU or expert. */
export interface Ranked {
  index: number;
  value: number;
}

export interface LayerAnalysis extends Record<SplitName, Imbalance> {
  layer: number;
  /** Experts without a slot on a living GPU, ascending, */
  lost: number[];
  /** and their share of the layer's measured tokens. */
  unserved: number;
  /** Its measured steps, which all have tokens. A layer that never has any has none, and imbalances of 1. */
  batches: number;
  /** Batches solved to proven optimality. */
  optimal: number;
  /** GPUs by the share of the batches in which they belong to the bottleneck, the set of GPUs that cannot be relieved. */
  bottleneck: Ranked[];
  /** The HOTTEST experts by load, in multiples of the mean expert's. */
  hottest: Ranked[];
  /** [E] load of each expert over the mean expert's, of all batches together; of lost ones, too. */
  expertLoad: number[];
  /** The replica that would help most, none where none would. */
  replica?: ReplicaProposal;
  /** [G] mean load of each GPU over the mean living GPU's. */
  gpuLoad: Record<SplitName, number[]>;
  /** [G] mean price: what a token less on the GPU takes off the maximum load. Prices of a batch add up to 1. */
  price: number[];
}

/** Everything that `analyze` has to say; `analyze --json` prints it as it is. */
export interface Analysis {
  source: string;
  placedBy: string;
  steps: number;
  experts: number;
  gpus: number;
  redundant: number;
  /** GPUs that died: nothing is sent there, and all imbalances are among the others. */
  dead: number[];
  tokens: TokenMode;
  /** Steps without tokens, which are neither fitted to nor measured. */
  dropped: Dropped;
  /** Steps that are measured in some layer. */
  measuredSteps: number[];
  /** [L][P] */
  placements: number[][];
  layers: LayerAnalysis[];
  all: Record<SplitName, Imbalance>;
  /** [measuredSteps] mean over the layers measured in the step. */
  overTime: Record<SplitName, number[]>;
  /** [measuredSteps] 95th percentile over these layers. */
  p95OverTime: Record<SplitName, number[]>;
  /** With a cost. */
  time?: TimeReport;
  /** With distances. */
  traffic?: TrafficStudy;
}

const HOTTEST = 3;

/**
 * Solves the measured steps of every layer under its placement.
 *
 * @param times  takes them, too, where there is a cost.
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function analyze(
  history: LoadHistory,
  { placements, placedBy, active, measured, dropped }: Placed,
  times: TimeTally | undefined,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Analysis> {
  const tokens = history.loads instanceof Int32Array ? "integer" : "fractional";
  const [{ gpus, logicalExperts }] = placements;
  const layers: LayerAnalysis[] = [];
  const measuredSteps = unionOf(measured);
  const ofSteps = new Map(measuredSteps.map((step): [number, Record<SplitName, number>[]] => [step, []]));
  for (const [index, placement] of placements.entries()) {
    await pause(signal);
    const layer: Layer = { placement, active, expertLoad: loadsOf(history, index, measured[index]) };
    const { analysis, imbalances, quota } = await analyzeLayer(index, layer, tokens, signal);
    await times?.add(layer, quota, {}, signal);
    layers.push(analysis);
    for (const [i, step] of measured[index].entries()) ofSteps.get(step)!.push(imbalances[i]);
    onProgress(layers.length / placements.length);
  }
  const imbalances = [...ofSteps.values()];
  const overAll = (name: SplitName) => summarise(imbalances.flat().map((imbalance) => imbalance[name]));
  const overLayers = ofSplits((name) => imbalances.map((step) => summarise(step.map((imbalance) => imbalance[name]))));
  return {
    source: history.source,
    placedBy,
    steps: history.steps,
    experts: logicalExperts,
    gpus,
    redundant: replicasOf(placements),
    dead: deadGpus(gpus, active),
    tokens,
    dropped,
    measuredSteps,
    placements: placements.map(({ physicalToLogical }) => [...physicalToLogical]),
    layers,
    all: ofSplits(overAll),
    overTime: ofSplits((name) => overLayers[name].map(({ mean }) => mean)),
    p95OverTime: ofSplits((name) => overLayers[name].map(({ p95 }) => p95)),
    ...(times && { time: times.report() }),
  };
}

/** A layer, and of its batches the imbalances [B] and the LP's quotas [B, P]. */
async function analyzeLayer(
  index: number,
  layer: Layer,
  tokens: TokenMode,
  signal: AbortSignal,
): Promise<{ analysis: LayerAnalysis; imbalances: Record<SplitName, number>[]; quota: ReplicaSolution["quota"] }> {
  const { placement, expertLoad, active } = layer;
  const { gpus, logicalExperts } = placement;
  const batches = expertLoad.length / logicalExperts;
  if (batches === 0) return { analysis: withoutTokens(index, layer), imbalances: [], quota: new Int32Array(0) };
  const solver = await createSolver(placement, { active });
  const solution = await solver.solve(layer, { tokens, signal });
  solver.destroy();

  const zeros = () => new Array<number>(gpus).fill(0);
  const [gpuLoad, price, inBottleneck] = [ofSplits(zeros), zeros(), zeros()];
  const imbalances: Record<SplitName, number>[] = [];
  const splitAt = splitOf(layer, solution);
  for (let lp = 0; lp < batches; lp++) {
    const split = splitAt(lp);
    imbalances.push(split.imbalance);
    for (const g of solution.bottleneck[lp]) inBottleneck[g]++;
    for (let g = 0; g < gpus; g++) {
      price[g] += solution.price[lp * gpus + g];
      for (const name of splits) gpuLoad[name][g] += split.gpuLoad[name][g] / (split.mean || 1);
    }
  }
  const perBatch = (sums: number[]) => sums.map((sum) => sum / batches);
  const ofExperts = expertLoads(layer);
  const analysis: LayerAnalysis = {
    layer: index,
    lost: solution.lost,
    unserved: sum(solution.unserved) / sum(expertLoad),
    batches,
    optimal: solution.status.filter((verdict) => verdict === "optimal").length,
    ...ofSplits((name) => summarise(imbalances.map((imbalance) => imbalance[name]))),
    bottleneck: ranked(perBatch(inBottleneck)),
    hottest: ranked(ofExperts).slice(0, HOTTEST),
    expertLoad: ofExperts,
    replica: await bestReplica(layer, solution, tokens, signal),
    gpuLoad: ofSplits((name) => perBatch(gpuLoad[name])),
    price: perBatch(price),
  };
  return { analysis, imbalances, quota: solution.quota };
}

const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);

function withoutTokens(layer: number, { placement, active }: Layer): LayerAnalysis {
  const zeros = () => new Array<number>(placement.gpus).fill(0);
  const { replicaCount } = livingSlots(placement, active);
  const lost = [...replicaCount.keys()].filter((e) => replicaCount[e] === 0);
  return {
    ...{ layer, lost, unserved: 0, batches: 0, optimal: 0, bottleneck: [], hottest: [] },
    ...ofSplits(() => summarise([])),
    expertLoad: new Array<number>(placement.logicalExperts).fill(0),
    gpuLoad: ofSplits(zeros),
    price: zeros(),
  };
}

/** [E] over the mean expert's, of all batches together. */
function expertLoads({ placement: { logicalExperts }, expertLoad }: Layer): number[] {
  const load = new Array<number>(logicalExperts).fill(0);
  for (const [i, tokens] of expertLoad.entries()) load[i % logicalExperts] += tokens;
  const mean = load.reduce((a, b) => a + b) / logicalExperts;
  return load.map((tokens) => tokens / mean);
}

/** The positive ones in descending order. */
function ranked(values: number[]): Ranked[] {
  return values
    .map((value, index) => ({ index, value }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
}
