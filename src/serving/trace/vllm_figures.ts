import { firstAbove } from "./first_above.ts";

/** Values, each of which counts once, or so many times. */
export interface Repeated {
  values: Float64Array;
  times?: Float64Array;
}

const percentiles = [90, 95, 99];

/**
 * mean_ttft_ms, median_ttft_ms, std_ttft_ms, p99_ttft_ms and the like, as numpy computes them: the deviation of a population, percentiles
 * by interpolation between the two values beside them. All are 0 where there is no value, as in vLLM.
 *
 * @param seconds  read, not kept.
 */
export function figuresOf(name: string, seconds: Repeated): Record<string, number> {
  const { values, until, count } = sorted(seconds);
  const weight = (i: number) => until[i] - (i > 0 ? until[i - 1] : 0);
  const meanOf = (term: (value: number) => number) =>
    count > 0 ? values.reduce((sum, value, i) => sum + weight(i) * term(value), 0) / count : 0;
  const mean = meanOf((value) => value);
  const at = (percent: number) => (count > 0 ? percentile(values, until, (percent / 100) * (count - 1)) : 0);
  const figures: [string, number][] = [
    ["mean", mean],
    ["median", at(50)],
    ["std", Math.sqrt(meanOf((value) => (value - mean) ** 2))],
    ...percentiles.map((percent): [string, number] => [`p${percent}`, at(percent)]),
  ];
  return Object.fromEntries(figures.map(([figure, value]) => [`${figure}_${name}_ms`, 1000 * value]));
}

/** Ascending, with the count of all values up to each. */
function sorted({ values, times }: Repeated) {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const until = new Float64Array(values.length);
  let count = 0;
  for (const [i, from] of order.entries()) {
    count += times ? times[from] : 1;
    until[i] = count;
  }
  return { values: Float64Array.from(order, (i) => values[i]), until, count };
}

/** @param rank  from 0 to count - 1, between two whole ones where it must be. */
function percentile(values: Float64Array, until: Float64Array, rank: number): number {
  const below = Math.floor(rank);
  const low = values[firstAbove(until, below)];
  return rank === below ? low : low + (rank - below) * (values[firstAbove(until, below + 1)] - low);
}
