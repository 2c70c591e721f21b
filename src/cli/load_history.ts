import { ShapeError } from "../errors.ts";
import { Placement } from "../placement/placement.ts";
import { rebalanceExperts } from "../placement/rebalance.ts";
import type { LoadHistory } from "./load_file.ts";
import { stepRange } from "./words.ts";

/** Row [E] of one step and layer. */
export function row({ loads, layers, experts }: LoadHistory, step: number, layer: number): LoadHistory["loads"] {
  const at = (step * layers + layer) * experts;
  return loads.subarray(at, at + experts);
}

/** [E] a layer's mean loads in the first steps. */
function meanLoad(history: LoadHistory, layer: number, steps: number): Float64Array {
  const mean = new Float64Array(history.experts);
  for (let step = 0; step < steps; step++) {
    for (const [e, load] of row(history, step, layer).entries()) mean[e] += load / steps;
  }
  return mean;
}

/** [B, E] the loads of a layer in the given steps. */
export function loadsOf(history: LoadHistory, layer: number, steps: readonly number[]): Float64Array {
  const loads = new Float64Array(steps.length * history.experts);
  for (const [i, step] of steps.entries()) loads.set(row(history, step, layer), i * history.experts);
  return loads;
}

/** The first steps alone. */
export function firstSteps(history: LoadHistory, steps: number): LoadHistory {
  const { layers, experts, loads } = history;
  return { ...history, steps, loads: loads.subarray(0, steps * layers * experts) };
}

/** Who placed the experts, for a reader. */
export function placedByEplb({ fittedSteps, measuredSteps }: StepSplit): string {
  const only = measuredSteps[0] < fittedSteps ? ", which is measured, too" : "";
  return `EPLB by ${stepRange(0, fittedSteps - 1)}${only}`;
}

export interface StepSplit {
  /** The placements are fitted to the first so many steps. */
  fittedSteps: number;
  /** The steps that they are tried on. */
  measuredSteps: number[];
}

/**
 * The placement must not know the loads that it is tried on: the first steps are for the fit, half of them by default, and of the others as
 * many as are wanted are measured, evenly spaced. A single step is both.
 */
export function splitSteps(total: number, { fittedShare = 1 / 2, wanted = Infinity } = {}): StepSplit {
  if (total === 1) return { fittedSteps: 1, measuredSteps: [0] };
  const fittedSteps = Math.ceil(total * fittedShare);
  return { fittedSteps, measuredSteps: evenly(fittedSteps, total, wanted) };
}

/** At most `wanted` integers from first to end - 1, evenly spaced. */
export function evenly(first: number, end: number, wanted: number): number[] {
  const count = Math.min(wanted, end - first);
  return Array.from({ length: count }, (_, i) => first + Math.floor((i * (end - first)) / count));
}

/**
 * EPLB's placement of each layer, by its mean loads in the first steps.
 *
 * @throws {ShapeError} Experts and replicas do not divide among the GPUs, or there are more replicas than are of use.
 */
export function eplbPlacements(
  history: LoadHistory,
  fittedSteps: number,
  gpus: number,
  redundant: number,
  nodes = 1,
): Placement[] {
  const { experts, layers } = history;
  requireSlots(experts, gpus, redundant);
  const weight = Array.from({ length: layers }, (_, layer) => meanLoad(history, layer, fittedSteps));
  // Every expert is a group of its own, so that with nodes its replicas stay within one.
  const groups = nodes === 1 ? 1 : experts;
  const { physicalToLogical } = rebalanceExperts(weight, { replicas: experts + redundant, groups, nodes, gpus });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));
}

/**
 * The fewest replicas, though at least one, with which every GPU gets equally many slots: one per GPU where it had so before. On a single
 * GPU, which has every expert already, none.
 */
export function fewestReplicas(experts: number, gpus: number): number {
  return gpus === 1 ? 0 : gpus - (experts % gpus);
}

/** Throws unless every GPU gets equally many slots, and not more than there are experts to put there. */
export function requireSlots(experts: number, gpus: number, redundant: number): void {
  if ((experts + redundant) % gpus !== 0) {
    const least = (gpus - (experts % gpus)) % gpus;
    const expected = least === 0 ? `a multiple of the ${gpus} GPUs` : `${least} plus a multiple of the ${gpus} GPUs`;
    const remedy = `Every GPU holds equally many of the ${experts} experts and their replicas.`;
    throw new ShapeError("redundant", expected, redundant, remedy);
  }
  const most = experts * (gpus - 1);
  if (redundant > most) {
    throw new ShapeError("redundant", `at most ${most}, enough for every expert on every GPU`, redundant);
  }
}
