/** Loads that follow from a few numbers. */
import { seeded } from "../../src/common/random.ts";
import type { State } from "./state.ts";

export interface Batches {
  /** [E] mean loads, by which experts are placed. */
  expected: Float64Array;
  /** [E] tokens. */
  batch: Int32Array;
  /** [steps, E] earlier batches, from which the planner learns. */
  history: Int32Array;
  steps: number;
}

const EARLIER = 32;

/**
 * Popularity by z, normal, drawn for each expert: exp(skew z), or (rank of z)^-skew. By the time of the batch it has drifted,
 *
 *   z <- sqrt(1 - drift^2) z + drift N(0, 1),
 *
 * and a batch has as many tokens of an expert as come, Poisson-distributed, in the normal approximation, scaled so that all are `tokens`.
 */
export function generated({ loads, experts, skew, drift, tokens, seed }: State): Batches {
  const { normal } = seeded(seed);
  const z = Float64Array.from({ length: experts }, normal);
  const later = z.map((one) => Math.sqrt(1 - drift ** 2) * one + drift * normal());
  const popularity = loads === "zipf" ? zipf : lognormal;
  const means = (of: Float64Array) => scaled(popularity(of, skew), tokens);
  const drawn = (mean: Float64Array) =>
    whole(
      mean.map((one) => Math.max(0, one + Math.sqrt(one) * normal())),
      tokens,
    );
  const expected = means(z);
  const batch = drawn(means(later));
  const history = new Int32Array(EARLIER * experts);
  for (let step = 0; step < EARLIER; step++) history.set(drawn(expected), step * experts);
  return { expected, batch, history, steps: EARLIER };
}

const lognormal = (z: Float64Array, skew: number) => z.map((one) => Math.exp(skew * one));

function zipf(z: Float64Array, skew: number): Float64Array {
  const popularity = new Float64Array(z.length);
  const byRank = [...z.keys()].sort((a, b) => z[b] - z[a]);
  for (const [rank, e] of byRank.entries()) popularity[e] = (rank + 1) ** -skew;
  return popularity;
}

function scaled(values: Float64Array, total: number): Float64Array {
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => (sum === 0 ? 0 : (total * value) / sum));
}

/** Whole numbers in proportion to the values, `total` in all: what is left of a value goes to the next ones. */
function whole(values: Float64Array, total: number): Int32Array {
  let running = 0;
  let given = 0;
  return Int32Array.from(scaled(values, total), (value, i) => {
    running += value;
    const due = i === values.length - 1 && running > 0 ? total : Math.floor(running);
    const part = due - given;
    given = due;
    return part;
  });
}
