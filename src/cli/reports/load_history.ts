import { ShapeError } from "../../common/errors.ts";
import { Placement } from "../../placement/placement.ts";
import { rebalanceExperts } from "../../placement/rebalance.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { findTokens, type TokenSteps } from "./step_split.ts";

/** Row [E] of one step and layer. */
export function row({ loads, layers, experts }: LoadHistory, step: number, layer: number): LoadHistory["loads"] {
  const at = (step * layers + layer) * experts;
  return loads.subarray(at, at + experts);
}

/** @throws {LoadError} There are no tokens anywhere. */
export function tokenSteps(history: LoadHistory): TokenSteps {
  return findTokens(history, (step, layer) => row(history, step, layer).some((load) => load > 0));
}

/** [L][E] the mean loads of each layer in its steps; zeros where it has none. */
export function meanLoads(history: LoadHistory, steps: readonly number[][]): Float64Array[] {
  return steps.map((own, layer) => {
    const mean = new Float64Array(history.experts);
    for (const step of own) {
      for (const [e, load] of row(history, step, layer).entries()) mean[e] += load / own.length;
    }
    return mean;
  });
}

/** [B, E] the loads of a layer in the given steps. */
export function loadsOf(history: LoadHistory, layer: number, steps: readonly number[]): Float64Array {
  const loads = new Float64Array(steps.length * history.experts);
  for (const [i, step] of steps.entries()) loads.set(row(history, step, layer), i * history.experts);
  return loads;
}

/** Of each layer its steps alone, [L]; a layer that has fewer than another gets rows of zeros behind them. */
export function ofSteps(history: LoadHistory, chosen: readonly number[][]): LoadHistory {
  const { layers, experts, loads } = history;
  const steps = chosen.reduce((most, own) => Math.max(most, own.length), 0);
  const size = steps * layers * experts;
  const picked = {
    ...history,
    steps,
    loads: loads instanceof Int32Array ? new Int32Array(size) : new Float64Array(size),
  };
  for (const [layer, own] of chosen.entries()) {
    for (const [i, step] of own.entries()) row(picked, i, layer).set(row(history, step, layer));
  }
  return picked;
}

/**
 * EPLB's placement of each layer.
 *
 * @param weight  [L][E] loads.
 * @throws {ShapeError} Experts and replicas do not divide among the GPUs, or there are more replicas than are of use.
 */
export function eplbPlacements(
  weight: readonly Float64Array[],
  gpus: number,
  redundant: number,
  nodes = 1,
): Placement[] {
  const [{ length: experts }] = weight;
  requireSlots(experts, gpus, redundant);
  // Every expert is a group of its own, so that with nodes its replicas stay within one.
  const groups = nodes === 1 ? 1 : experts;
  const { physicalToLogical } = rebalanceExperts(weight, { replicas: experts + redundant, groups, nodes, gpus });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));
}

/**
 * How many replicas there are where nobody says: the fewest, though at least one, with which every GPU gets equally many slots, which is one per
 * GPU where the experts alone fill them. Where every GPU has all experts of its node already, none.
 */
export function fewestReplicas(experts: number, gpus: number, nodes = 1): number {
  return gpus === nodes ? 0 : gpus - (experts % gpus);
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
