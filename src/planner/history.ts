import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, MAX_TOKENS, type Numbers, type Rows } from "../common/numbers.ts";
import type { Curve } from "../lp/time/expert_cost.ts";
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
  /** Where tokens have a cost; then the shares are of the work c(tokens) of the experts. */
  readonly costed: Costed | undefined;
}

/** What the batches of a layer cost. */
export interface Costed {
  readonly curve: Curve;
  /** [steps, E] */
  readonly tokens: Float64Array;
  /** [steps] sum of c(tokens) of the experts, each whole. */
  readonly work: Float64Array;
}

/** A checked history: the loads flat. */
export type CheckedHistory = Omit<LoadHistory, "loads"> & { readonly loads: Numbers };

/** @throws {ArgumentError | ShapeError | LoadError} The history is not as LoadHistory says; with a cost, its tokens are not whole. */
export function checkHistory(history: LoadHistory, costed = false): CheckedHistory {
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
  const most = costed ? MAX_TOKENS : MAX_LOAD;
  const expected = costed ? "an integer from 0 to 2^31 - 1, with a cost" : "a finite number >= 0, below 2^100";
  for (let i = 0; i < values; i++) {
    const load = loads[i];
    if (typeof load === "number" && load >= 0 && load < most && !(costed && !Number.isInteger(load))) continue;
    throw new LoadError(path(i), expected, load);
  }
  return { loads, steps, layers, experts };
}

/** EPLB computes in float32, whose largest number is 2^128: a layer's total must fit. */
export const MAX_LOAD = 2 ** 100;

/** @param curve  What tokens cost, if it is time that counts. */
export function layerHistory(
  { loads, steps, layers, experts }: CheckedHistory,
  layer: number,
  curve?: Curve,
): LayerHistory {
  const kept: number[] = []; // where the rows begin
  const weigh = (load: number) => (curve ? curve.time(load) : load);
  for (let step = 0; step < steps; step++) {
    const row = (step * layers + layer) * experts;
    let total = 0;
    for (let e = 0; e < experts; e++) total += weigh(loads[row + e]);
    if (total > 0) kept.push(row);
  }
  const share = new Float64Array(kept.length * experts);
  const tokens = new Float64Array(curve ? share.length : 0);
  const work = new Float64Array(kept.length);
  const mean = new Float64Array(experts);
  for (const [i, row] of kept.entries()) {
    for (let e = 0; e < experts; e++) {
      const load = loads[row + e];
      if (curve) tokens[i * experts + e] = load;
      share[i * experts + e] = weigh(load);
      work[i] += share[i * experts + e];
      mean[e] += load / kept.length;
    }
    for (let e = 0; e < experts; e++) share[i * experts + e] /= work[i];
  }
  return { steps: kept.length, experts, share, mean, costed: curve && { curve, tokens, work } };
}

/** Batches from..end - 1 alone. */
export function slice({ experts, share, costed }: LayerHistory, from: number, end: number): LayerHistory {
  const part = (rows: Float64Array) => rows.subarray(from * experts, end * experts);
  return {
    steps: end - from,
    experts,
    share: part(share),
    mean: meanShare(part(costed?.tokens ?? share), experts),
    costed: costed && { ...costed, tokens: part(costed.tokens), work: costed.work.subarray(from, end) },
  };
}

/** [E] the mean of rows of shares. */
export function meanShare(rows: Float64Array, experts: number): Float64Array {
  const mean = new Float64Array(experts);
  const steps = rows.length / experts;
  for (let i = 0; i < rows.length; i++) mean[i % experts] += rows[i] / steps;
  return mean;
}
