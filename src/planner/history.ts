import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, type Numbers, type Rows } from "../common/numbers.ts";
import { requireCount } from "../placement/placement.ts";

/** Expert loads of recorded batches, oldest first. Batches of a layer without tokens are left out, and a layer may have no others. */
export interface LoadHistory {
  /** [steps, layers, E] tokens, finite and >= 0; flat or nested. */
  loads: Rows;
  steps: number;
  layers: number;
  /** E */
  experts: number;
}

/** The batches of one layer that had any tokens. */
export interface LayerHistory {
  /** Batches. */
  readonly steps: number;
  readonly experts: number;
  /** [steps, E] loads in shares: each row adds up to 1, so that every batch counts alike. Oldest first. */
  readonly share: Float64Array;
  /** [E] mean load of these batches in tokens. */
  readonly mean: Float64Array;
}

/** @throws {ArgumentError | ShapeError | LoadError} The history is not as LoadHistory says. */
export function checkHistory(history: LoadHistory): LayerHistory[] {
  if (typeof history !== "object" || history === null) {
    throw new ArgumentError("history", "an object { loads, steps, layers, experts }", history);
  }
  const steps = requireCount("history.steps", history.steps);
  const layers = requireCount("history.layers", history.layers);
  const experts = requireCount("history.experts", history.experts);
  const { values: loads, path } = flat("history.loads", history.loads, { layers, experts });
  const values = steps * layers * experts;
  if (loads.length !== values) {
    const expected = `steps * layers * experts = ${steps} * ${layers} * ${experts} = ${values} values`;
    throw new ShapeError("history.loads", expected, loads.length);
  }
  for (let i = 0; i < values; i++) {
    if (typeof loads[i] !== "number" || !(loads[i] >= 0 && loads[i] < MAX_LOAD)) {
      throw new LoadError(path(i), "a finite number >= 0, below 2^100", loads[i]);
    }
  }
  return Array.from({ length: layers }, (_, layer) => layerHistory({ loads, steps, layers, experts }, layer));
}

/** EPLB computes in float32, whose largest number is 2^128: a layer's total must fit. */
export const MAX_LOAD = 2 ** 100;

function layerHistory(
  { loads, steps, layers, experts }: LoadHistory & { loads: Numbers },
  layer: number,
): LayerHistory {
  const kept: { row: number; total: number }[] = [];
  for (let step = 0; step < steps; step++) {
    const row = (step * layers + layer) * experts;
    let total = 0;
    for (let e = 0; e < experts; e++) total += loads[row + e];
    if (total > 0) kept.push({ row, total });
  }
  const share = new Float64Array(kept.length * experts);
  const mean = new Float64Array(experts);
  for (const [i, { row, total }] of kept.entries()) {
    for (let e = 0; e < experts; e++) {
      share[i * experts + e] = loads[row + e] / total;
      mean[e] += loads[row + e] / kept.length;
    }
  }
  return { steps: kept.length, experts, share, mean };
}

/** Batches from..end - 1 alone. */
export function slice({ experts, share }: LayerHistory, from: number, end: number): LayerHistory {
  const rows = share.subarray(from * experts, end * experts);
  const mean = meanShare(rows, experts);
  return { steps: end - from, experts, share: rows, mean };
}

/** [E] the mean of rows of shares. */
export function meanShare(rows: Float64Array, experts: number): Float64Array {
  const mean = new Float64Array(experts);
  const steps = rows.length / experts;
  for (let i = 0; i < rows.length; i++) mean[i % experts] += rows[i] / steps;
  return mean;
}
