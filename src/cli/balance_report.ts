import { DeviceError, ShapeError } from "../errors.ts";
import type { AdapterReport } from "../gpu/device.ts";
import { Placement } from "../placement/placement.ts";
import { rebalanceExperts } from "../placement/rebalance.ts";
import type { TokenMode } from "../problem.ts";
import type { ReplicaSolution } from "../solution.ts";
import { MAX_GPUS_WEBGPU } from "../solver.ts";
import { type Layer, type LayerSolvers, medianUsPerLp, RUNS, requireAgreement, solveLayers } from "./layer_solvers.ts";
import type { LoadHistory } from "./load_file.ts";

/** Load of the busiest GPU over the mean load of all GPUs, in many LPs. */
export interface Imbalance {
  mean: number;
  p95: number;
}

export interface LayerGroup {
  firstLayer: number;
  lastLayer: number;
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
}

/** Everything that the demo has to say; `demo --json` prints it as it is. */
export interface BalanceReport {
  source: string;
  layers: number;
  experts: number;
  gpus: number;
  redundant: number;
  tokens: TokenMode;
  lps: number;
  /** The placements are fitted to the mean loads of the first so many steps. */
  fittedSteps: number;
  /** The steps that were solved. */
  measuredSteps: number[];
  /** [layers][P] physical to logical, as EPLB places the experts. */
  placements: number[][];
  groups: LayerGroup[];
  all: LayerGroup;
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
  { gpus, redundant, steps }: BalanceOptions,
  onProgress: (share: number) => void,
): Promise<BalanceReport> {
  const tokens = history.loads instanceof Int32Array ? "integer" : "fractional";
  const { fittedSteps, measuredSteps } = chooseSteps(history.steps, steps);
  const layers = placements(history, fittedSteps, gpus, redundant).map(
    (placement, layer): Layer => ({ placement, expertLoad: loadsOf(history, layer, measuredSteps) }),
  );

  let done = 0;
  const onLayer = () => onProgress(++done / (2 * (1 + RUNS) * layers.length));
  const cpu = await solveLayers(layers, "cpu", tokens, onLayer);
  let webgpu: LayerSolvers | undefined;
  let withoutWebgpu: string | undefined;
  if (gpus <= MAX_GPUS_WEBGPU) {
    try {
      webgpu = await solveLayers(layers, "webgpu", tokens, onLayer);
      requireAgreement(webgpu, cpu, tokens);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      withoutWebgpu = error.message;
    }
  } else withoutWebgpu = `The WebGPU kernel takes at most ${MAX_GPUS_WEBGPU} GPUs.`;

  const { solutions } = webgpu ?? cpu;
  const outcomes = layers.map((layer, i) => outcomesOf(layer, solutions[i]));
  const size = Math.ceil(layers.length / GROUPS);
  const groups: LayerGroup[] = [];
  for (let first = 0; first < layers.length; first += size) {
    groups.push(summary(outcomes, first, Math.min(first + size, layers.length)));
  }
  return {
    source: history.source,
    layers: history.layers,
    experts: history.experts,
    gpus,
    redundant,
    tokens,
    lps: layers.length * measuredSteps.length,
    fittedSteps,
    measuredSteps,
    placements: layers.map(({ placement }) => [...placement.physicalToLogical]),
    groups,
    all: summary(outcomes, 0, layers.length),
    runs: RUNS,
    cpu: { medianUs: await medianUsPerLp(layers, cpu, tokens, onLayer) },
    webgpu: webgpu && {
      medianUs: await medianUsPerLp(layers, webgpu, tokens, onLayer),
      finishedOnCpu: webgpu.solutions.reduce((sum, { finishedOnCpu }) => sum + finishedOnCpu, 0),
      adapter: webgpu.solutions[0].adapter!,
    },
    withoutWebgpu,
  };
}

/** The placement must not know the loads that it is tried on: the first steps for the fit, a choice of the others to solve. */
function chooseSteps(total: number, wanted: number): { fittedSteps: number; measuredSteps: number[] } {
  if (total === 1) return { fittedSteps: 1, measuredSteps: [0] };
  const fittedSteps = Math.ceil(total * FITTED_SHARE);
  const rest = total - fittedSteps;
  const count = Math.min(wanted, rest);
  const measuredSteps = Array.from({ length: count }, (_, i) => fittedSteps + Math.floor((i * rest) / count));
  return { fittedSteps, measuredSteps };
}

/** EPLB's placement of each layer, by its mean loads in the first steps. */
function placements(history: LoadHistory, fittedSteps: number, gpus: number, redundant: number): Placement[] {
  const { experts } = history;
  if (experts % gpus !== 0) throw new ShapeError("gpus", `a divisor of the ${experts} experts`, gpus);
  if (redundant % gpus !== 0) throw new ShapeError("redundant", `a multiple of the ${gpus} GPUs`, redundant);
  const most = experts * (gpus - 1);
  if (redundant > most) {
    throw new ShapeError("redundant", `at most ${most}, enough for every expert on every GPU`, redundant);
  }
  const weight = Array.from({ length: history.layers }, (_, layer) => meanLoad(history, layer, fittedSteps));
  const { physicalToLogical } = rebalanceExperts(weight, { replicas: experts + redundant, gpus });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));
}

/** Row [E] of one step and layer. */
function row({ loads, layers, experts }: LoadHistory, step: number, layer: number): LoadHistory["loads"] {
  const at = (step * layers + layer) * experts;
  return loads.subarray(at, at + experts);
}

function meanLoad(history: LoadHistory, layer: number, steps: number): Float64Array {
  const mean = new Float64Array(history.experts);
  for (let step = 0; step < steps; step++) {
    for (const [e, load] of row(history, step, layer).entries()) mean[e] += load / steps;
  }
  return mean;
}

/** [B, E] the loads of a layer in the given steps. */
function loadsOf(history: LoadHistory, layer: number, steps: readonly number[]): Float64Array {
  const loads = new Float64Array(steps.length * history.experts);
  for (const [i, step] of steps.entries()) loads.set(row(history, step, layer), i * history.experts);
  return loads;
}

/** What became of the LPs of a layer: [B] each. */
interface Outcomes {
  originals: number[];
  even: number[];
  solved: number[];
  optimal: number;
  largestGap: number;
}

function outcomesOf({ placement, expertLoad }: Layer, { batch, maxLoad, status, gap }: ReplicaSolution): Outcomes {
  const { gpus, logicalExperts, physicalExperts, physicalToLogical, gpuOf, replicaCount } = placement;
  const outcomes: Outcomes = {
    originals: [],
    even: [],
    solved: [],
    optimal: status.filter((verdict) => verdict === "optimal").length,
    largestGap: gap.reduce((a, b) => Math.max(a, b), 0),
  };
  for (let lp = 0; lp < batch; lp++) {
    const original = new Float64Array(gpus);
    const even = new Float64Array(gpus);
    for (let e = 0; e < logicalExperts; e++) {
      original[Math.floor(e / (logicalExperts / gpus))] += expertLoad[lp * logicalExperts + e];
    }
    for (let p = 0; p < physicalExperts; p++) {
      const e = physicalToLogical[p];
      even[gpuOf[p]] += expertLoad[lp * logicalExperts + e] / replicaCount[e];
    }
    const mean = original.reduce((a, b) => a + b) / gpus;
    const imbalance = (most: number) => (mean === 0 ? 1 : most / mean); // nothing to do is done at once
    outcomes.originals.push(imbalance(Math.max(...original)));
    outcomes.even.push(imbalance(Math.max(...even)));
    outcomes.solved.push(imbalance(maxLoad[lp]));
  }
  return outcomes;
}

/** Layers first to end - 1. */
function summary(layers: readonly Outcomes[], first: number, end: number): LayerGroup {
  const group = layers.slice(first, end);
  const imbalance = (of: (outcomes: Outcomes) => number[]): Imbalance => {
    const values = group.flatMap(of).sort((a, b) => a - b);
    return {
      mean: values.reduce((a, b) => a + b) / values.length,
      p95: values[Math.round(0.95 * (values.length - 1))],
    };
  };
  return {
    firstLayer: first,
    lastLayer: end - 1,
    lps: group.reduce((sum, { solved }) => sum + solved.length, 0),
    originals: imbalance(({ originals }) => originals),
    even: imbalance(({ even }) => even),
    solved: imbalance(({ solved }) => solved),
    optimal: group.reduce((sum, { optimal }) => sum + optimal, 0),
    largestGap: Math.max(...group.map(({ largestGap }) => largestGap)),
  };
}
