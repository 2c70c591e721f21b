import type { Spread } from "./simulated.ts";

/** Batches of a confidence interval, each of which must hold at least two. */
const BATCHES = 30;
/** 97.5 % of Student's t with 29 degrees of freedom. */
const T_29 = 2.045;

const none: Spread = {
  mean: Number.NaN,
  p50: Number.NaN,
  p90: Number.NaN,
  p95: Number.NaN,
  p99: Number.NaN,
  halfWidth: Number.NaN,
};

/** @param values  in the order of arrival. */
export function spreadOf(values: Float64Array): Spread {
  if (values.length === 0) return none;
  const sorted = values.slice().sort();
  const at = (share: number) => quantile(sorted, share);
  return {
    mean: meanOf(values, 0, values.length),
    ...{ p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) },
    halfWidth: batchedHalfWidth(values),
  };
}

/** Linear between the two values beside it, as numpy does by default. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

function meanOf(values: Float64Array, first: number, end: number): number {
  let sum = 0;
  for (let i = first; i < end; i++) sum += values[i];
  return sum / (end - first);
}

/**
 * Half of the 95 % interval of the mean, by the method of batch means: requests that follow each other wait for the same reasons, but batches of
 * many are almost independent.
 */
function batchedHalfWidth(values: Float64Array): number {
  if (values.length < 2 * BATCHES) return Number.NaN;
  const edge = (b: number) => Math.round((b * values.length) / BATCHES);
  const means = Float64Array.from({ length: BATCHES }, (_, b) => meanOf(values, edge(b), edge(b + 1)));
  const mean = meanOf(means, 0, BATCHES);
  let squares = 0;
  for (const batch of means) squares += (batch - mean) ** 2;
  return T_29 * Math.sqrt(squares / (BATCHES - 1) / BATCHES);
}
