import type { Placement } from "../placement/placement.ts";
import type { TokenMode } from "../problem.ts";
import { createSolver } from "../solver.ts";
import { bestReplica, type ReplicaProposal } from "./best_replica.ts";
import { pause } from "./interruption.ts";
import type { Layer } from "./layer_solvers.ts";
import type { LoadHistory } from "./load_file.ts";
import { loadsOf } from "./load_history.ts";
import { type Imbalance, ofSplits, type SplitName, splitOf, splits, summarise } from "./split_imbalance.ts";

/** A share of steps, or a multiple of the mean, for one GPU or expert. */
export interface Ranked {
  index: number;
  value: number;
}

export interface LayerAnalysis extends Record<SplitName, Imbalance> {
  layer: number;
  /** Measured steps in which the layer has tokens. The figures are of these; without any, imbalances are 1. */
  batches: number;
  /** Batches solved to proven optimality. */
  optimal: number;
  /** GPUs by the share of the batches in which they belong to the bottleneck, the set of GPUs that cannot be relieved. */
  bottleneck: Ranked[];
  /** The HOTTEST experts by load, in multiples of the mean expert's. */
  hottest: Ranked[];
  /** The replica that would help most, none where none would. */
  replica?: ReplicaProposal;
  /** [G] mean load of each GPU over the mean GPU's. */
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
  tokens: TokenMode;
  measuredSteps: number[];
  /** [L][P] */
  placements: number[][];
  layers: LayerAnalysis[];
  all: Record<SplitName, Imbalance>;
  /** [measuredSteps] mean over the layers with tokens. */
  overTime: Record<SplitName, number[]>;
}

const HOTTEST = 3;

/**
 * Solves the measured steps of every layer under its placement.
 *
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function analyze(
  history: LoadHistory,
  { placements, placedBy, measuredSteps }: { placements: Placement[]; placedBy: string; measuredSteps: number[] },
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Analysis> {
  const tokens = history.loads instanceof Int32Array ? "integer" : "fractional";
  const [{ gpus, logicalExperts, physicalExperts }] = placements;
  const layers: LayerAnalysis[] = [];
  const imbalances: Record<SplitName, number>[][] = measuredSteps.map(() => []);
  for (const [index, placement] of placements.entries()) {
    await pause(signal);
    const layer: Layer = { placement, expertLoad: loadsOf(history, index, measuredSteps) };
    layers.push(await analyzeLayer(index, layer, tokens, imbalances, signal));
    onProgress(layers.length / placements.length);
  }
  const overAll = (name: SplitName) => summarise(imbalances.flat().map((imbalance) => imbalance[name]));
  const overLayers = (name: SplitName) =>
    imbalances.map((step) => summarise(step.map((imbalance) => imbalance[name])).mean);
  return {
    source: history.source,
    placedBy,
    steps: history.steps,
    experts: logicalExperts,
    gpus,
    redundant: physicalExperts - logicalExperts,
    tokens,
    measuredSteps,
    placements: placements.map(({ physicalToLogical }) => [...physicalToLogical]),
    layers,
    all: ofSplits(overAll),
    overTime: ofSplits(overLayers),
  };
}

/** Adds the imbalances of the layer's batches to those of each step. */
async function analyzeLayer(
  index: number,
  layer: Layer,
  tokens: TokenMode,
  imbalances: Record<SplitName, number>[][],
  signal: AbortSignal,
): Promise<LayerAnalysis> {
  const { gpus, logicalExperts: experts } = layer.placement;
  const solver = await createSolver(layer.placement);
  const solution = await solver.solve(layer, { tokens, signal });
  solver.destroy();

  const gpuLoad = ofSplits(() => new Array<number>(gpus).fill(0));
  const price = new Array<number>(gpus).fill(0);
  const inBottleneck = new Array<number>(gpus).fill(0);
  const own: Record<SplitName, number>[] = [];
  let optimal = 0;
  for (let lp = 0; lp < solution.batch; lp++) {
    const split = splitOf(layer, solution, lp);
    if (split.mean === 0) continue;
    own.push(split.imbalance);
    imbalances[lp].push(split.imbalance);
    if (solution.status[lp] === "optimal") optimal++;
    for (const g of solution.bottleneck[lp]) inBottleneck[g]++;
    for (let g = 0; g < gpus; g++) {
      price[g] += solution.price[lp * gpus + g];
      for (const name of splits) gpuLoad[name][g] += split.gpuLoad[name][g] / split.mean;
    }
  }

  const batches = own.length;
  const perBatch = (sums: number[]) => sums.map((sum) => (batches === 0 ? 0 : sum / batches));
  const load = new Array<number>(experts).fill(0);
  for (let i = 0; i < layer.expertLoad.length; i++) load[i % experts] += layer.expertLoad[i];
  const mean = load.reduce((a, b) => a + b) / experts;
  return {
    layer: index,
    batches,
    optimal,
    ...ofSplits((name) => summarise(own.map((imbalance) => imbalance[name]))),
    bottleneck: ranked(perBatch(inBottleneck)),
    hottest: ranked(load.map((tokens) => (mean === 0 ? 0 : tokens / mean))).slice(0, HOTTEST),
    replica: batches === 0 ? undefined : await bestReplica(layer, solution, tokens, signal),
    gpuLoad: ofSplits((name) => perBatch(gpuLoad[name])),
    price: perBatch(price),
  };
}

/** The positive ones in descending order. */
function ranked(values: number[]): Ranked[] {
  return values
    .map((value, index) => ({ index, value }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
}
