import { whyNotWebgpu } from "../../common/errors.ts";
import type { AdapterReport } from "../../gpu/device.ts";
import type { TokenMode } from "../../lp/problem.ts";
import type { ReplicaSolution } from "../../lp/solution.ts";
import type { Placement } from "../../placement/placement.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { type Layer, type LayerSolvers, medianUsPerLp, RUNS, requireAgreement, solveLayers } from "./layer_solvers.ts";
import { eplbPlacements, loadsOf, meanLoads, tokenSteps } from "./load_history.ts";
import { type Imbalance, ofSplits, type SplitName, splitOf, summarise } from "./split_imbalance.ts";
import type { TimeReport, TimeSummary, TimeTally } from "./split_times.ts";
import { type Dropped, type StepSplit, splitSteps, unionOf } from "./step_split.ts";

export interface LayerGroup {
  firstLayer: number;
  lastLayer: number;
  /** None for layers that never have tokens, whose imbalances are 1. */
  lps: number;
  /** The experts in order on the GPUs, without replicas. */
  originals: Imbalance;
  /** EPLB's placement, every expert's tokens in equal parts on its slots. */
  even: Imbalance;
  /** EPLB's placement, tokens as the LP splits them. */
  solved: Imbalance;
  /** LPs proven to be solved to optimality. */
  optimal: number;
  largestGap: number;
  /** With a cost. */
  time?: TimeSummary;
}

/** Everything that the demo has to say; `demo --json` prints it as it is. */
export interface BalanceReport extends Pick<StepSplit, "fittedTo" | "measuredOn"> {
  source: string;
  layers: number;
  experts: number;
  gpus: number;
  redundant: number;
  tokens: TokenMode;
  lps: number;
  /** Steps without tokens, which are neither fitted to nor measured. */
  dropped: Dropped;
  /** The placements are fitted to the mean loads of the first steps with tokens of each layer, so many of them at most. */
  fittedSteps: number;
  /** The steps that were solved in some layer. */
  measuredSteps: number[];
  /** [layers][P] physical to logical, as EPLB places the experts. */
  placements: number[][];
  groups: LayerGroup[];
  all: LayerGroup;
  /** With a cost. */
  time?: TimeReport;
  /** Runs that the median times per LP are taken of. */
  runs: number;
  cpu: { medianUs: number };
  webgpu?: { medianUs: number; finishedOnCpu: number; adapter: AdapterReport };
  /** Why there is no `webgpu`. */
  withoutWebgpu?: string;
}

export interface BalanceOptions {
  gpus: number;
  redundant: number;
  /** The most steps to solve. */
  steps: number;
  /** Takes times, too, where there is a cost. */
  times?: TimeTally;
}

/** Rows of the table: enough to see that layers differ. */
const GROUPS = 4;

/** Of the steps, the first: the placements are fitted to these, and tried on the others. */
export const FITTED_SHARE = 1 / 4;

/**
 * Places experts by the first steps of a history, solves later ones layer by layer on both backends, and compares.
 *
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 * @throws {ShapeError} The experts or the replicas do not divide among the GPUs, or there are more replicas than are of use.
 */
export async function balanceReport(
  history: LoadHistory,
  { gpus, redundant, steps, times }: BalanceOptions,
  onProgress: (share: number) => void,
): Promise<BalanceReport> {
  const tokens = history.loads instanceof Int32Array ? "integer" : "fractional";
  const { withTokens, dropped } = tokenSteps(history);
  const split = splitSteps(withTokens, { fittedShare: FITTED_SHARE, wanted: steps });
  const placements = eplbPlacements(meanLoads(history, split.fitted), gpus, redundant);
  const full = [...placements.keys()].filter((layer) => split.measured[layer].length > 0);
  const layers = full.map(
    (index): Layer => ({ placement: placements[index], expertLoad: loadsOf(history, index, split.measured[index]) }),
  );

  let done = 0;
  const passes = 2 * (1 + RUNS) + (times ? 1 : 0);
  const onLayer = () => onProgress(++done / (passes * layers.length));
  const cpu = await solveLayers(layers, "cpu", tokens, onLayer);
  let webgpu: LayerSolvers | undefined;
  let withoutWebgpu: string | undefined;
  try {
    webgpu = await solveLayers(layers, "webgpu", tokens, onLayer);
    requireAgreement(webgpu, cpu, tokens);
  } catch (error) {
    withoutWebgpu = whyNotWebgpu(error);
    if (withoutWebgpu === undefined) throw error;
  }

  if (times) await takeTimes(times, placements, layers, cpu.solutions, onLayer);
  const { solutions } = webgpu ?? cpu;
  const outcomes = placements.map(nothing);
  for (const [i, index] of full.entries()) outcomes[index] = outcomesOf(layers[i], solutions[i]);
  const size = Math.ceil(outcomes.length / GROUPS);
  const groups: LayerGroup[] = [];
  for (let first = 0; first < outcomes.length; first += size) {
    groups.push(summary(outcomes, first, Math.min(first + size, outcomes.length), times));
  }
  const all = summary(outcomes, 0, outcomes.length, times);
  return {
    source: history.source,
    layers: history.layers,
    experts: history.experts,
    ...{ gpus, redundant, tokens, dropped, lps: all.lps },
    fittedSteps: split.fitted.reduce((most, own) => Math.max(most, own.length), 0),
    measuredSteps: unionOf(split.measured),
    ...{ fittedTo: split.fittedTo, measuredOn: split.measuredOn },
    placements: placements.map(({ physicalToLogical }) => [...physicalToLogical]),
    ...{ groups, all, runs: RUNS },
    cpu: { medianUs: await medianUsPerLp(layers, cpu, tokens, onLayer) },
    webgpu: webgpu && {
      medianUs: await medianUsPerLp(layers, webgpu, tokens, onLayer),
      finishedOnCpu: webgpu.solutions.reduce((sum, { finishedOnCpu }) => sum + finishedOnCpu, 0),
      adapter: webgpu.solutions[0].adapter!,
    },
    withoutWebgpu,
    ...(times && { time: times.report() }),
  };
}

/** @param placements  [L], of which those that `layers` has have tokens. */
async function takeTimes(
  times: TimeTally,
  placements: readonly Placement[],
  layers: readonly Layer[],
  solutions: readonly ReplicaSolution[],
  onLayer: () => void,
): Promise<void> {
  const none = new Float64Array(0);
  for (const placement of placements) {
    const at = layers.findIndex((layer) => layer.placement === placement);
    if (at < 0) {
      await times.add({ placement, expertLoad: none }, none, {});
      continue;
    }
    await times.add(layers[at], solutions[at].quota, { backend: "cpu" });
    onLayer();
  }
}

/** What became of the LPs of a layer. */
interface Outcomes {
  /** [B] each. */
  imbalance: Record<SplitName, number[]>;
  optimal: number;
  largestGap: number;
}

/** Of a layer without tokens. */
function nothing(): Outcomes {
  return { imbalance: ofSplits(() => []), optimal: 0, largestGap: 0 };
}

function outcomesOf(layer: Layer, solution: ReplicaSolution): Outcomes {
  const splitAt = splitOf(layer, solution);
  const imbalances = Array.from({ length: solution.batch }, (_, lp) => splitAt(lp).imbalance);
  return {
    imbalance: ofSplits((name) => imbalances.map((imbalance) => imbalance[name])),
    optimal: solution.status.filter((verdict) => verdict === "optimal").length,
    largestGap: solution.gap.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** Layers first to end - 1. */
function summary(layers: readonly Outcomes[], first: number, end: number, times: TimeTally | undefined): LayerGroup {
  const group = layers.slice(first, end);
  const imbalance = (name: SplitName) => summarise(group.flatMap(({ imbalance }) => imbalance[name]));
  return {
    firstLayer: first,
    lastLayer: end - 1,
    lps: group.reduce((sum, { imbalance }) => sum + imbalance.solved.length, 0),
    ...ofSplits(imbalance),
    optimal: group.reduce((sum, { optimal }) => sum + optimal, 0),
    largestGap: Math.max(...group.map(({ largestGap }) => largestGap)),
    ...(times && { time: times.summary(first, end) }),
  };
}
