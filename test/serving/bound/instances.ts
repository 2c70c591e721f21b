/** Small traces, and what judges schedules of them, each round by itself. */
import { type Random, seeded } from "../../../src/common/random.ts";
import type { BoundOptions, BoundPrices } from "../../../src/serving/bound/bound_options.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

export interface Instance {
  trace: Trace;
  options: BoundOptions & { preemption?: "restart" };
  prices: BoundPrices;
}

/** Up to `most` requests: at once or not, in whole rounds or not, on one worker or two, with slots or without; and prices that mean nothing. */
export function randomInstance(seed: number, most: number, least = 1): Instance {
  const random = seeded(seed);
  const n = least + random.below(most - least + 1);
  const kvTokens = 4 + random.below(9);
  const late = random.pick([0, 0, n, 3 * n]);
  const whole = random.next() < 0.7;
  const arrivals = Array.from({ length: n }, () => (whole ? random.below(late + 1) : random.next() * late));
  const input = Int32Array.from({ length: n }, () => 1 + random.below(Math.min(5, kvTokens - 1)));
  const trace = {
    requests: n,
    arrival: Float64Array.from(arrivals.sort((a, b) => a - b)),
    input,
    output: input.map((s) => 1 + random.below(Math.min(6, kvTokens - s))),
  };
  const workers = random.pick([1, 1, 2]);
  const slots = random.pick([undefined, undefined, 1, 2]);
  return { trace, options: { kvTokens, workers, ...(slots && { slots }) }, prices: randomPrices(random, kvTokens) };
}

function randomPrices(random: Random, kvTokens: number): BoundPrices {
  const horizon = random.below(25);
  const of = (scale: number) =>
    Float64Array.from({ length: horizon + 1 }, () => Math.max(0, random.next() - 0.3) * scale);
  const kv = of(random.pick([0, 2, 2, 10, 10, 1e6, 1e12, 1e300]) / kvTokens);
  return random.next() < 0.5 ? { kv } : { kv, slot: of(1) };
}

export interface Starts {
  start: ArrayLike<number>;
  worker: ArrayLike<number>;
}

/** What is wrong with a schedule: a start before its arrival, memory or slots exceeded in a round; undefined if nothing is. */
export function faultOf({ requests, arrival, input, output }: Trace, o: BoundOptions, s: Starts): string | undefined {
  const { kvTokens, workers = 1, slots = Infinity } = o;
  if (s.start.length !== requests || s.worker.length !== requests) return "lengths";
  const taken = new Map<string, { tokens: number; running: number }>();
  for (let i = 0; i < requests; i++) {
    if (!(s.start[i] >= arrival[i] && Number.isInteger(s.start[i]))) return `start ${i}`;
    if (!(s.worker[i] >= 0 && s.worker[i] < workers && Number.isInteger(s.worker[i]))) return `worker ${i}`;
    for (let j = 1; j <= output[i]; j++) {
      const key = `worker ${s.worker[i]} in round ${s.start[i] + j}`;
      const there = taken.get(key) ?? { tokens: 0, running: 0 };
      there.tokens += input[i] + j;
      there.running++;
      taken.set(key, there);
      if (there.tokens > kvTokens || there.running > slots) return key;
    }
  }
  return undefined;
}

export const latencyOf = ({ arrival, output }: Trace, start: ArrayLike<number>): number =>
  output.reduce((sum, o, i) => sum + start[i] + o - arrival[i], 0);

/** The least total latency: all starts and workers of all requests, one after the other; given up when what remains cannot be better at its arrivals. */
export function bruteForce({ requests, arrival, input, output }: Trace, o: BoundOptions): number {
  const { kvTokens, workers = 1, slots = Infinity } = o;
  const release = Array.from(arrival, Math.ceil);
  const rounds = Math.max(0, ...release) + output.reduce((sum, x) => sum + x, 0);
  const tokens = Array.from({ length: workers }, () => new Array<number>(rounds + 1).fill(0));
  const running = Array.from({ length: workers }, () => new Array<number>(rounds + 1).fill(0));
  const rest = release.map((_, i) =>
    release.slice(i).reduce((sum, k, j) => sum + k + output[i + j] - arrival[i + j], 0),
  );
  rest.push(0);
  let best = Number.POSITIVE_INFINITY;
  const place = (i: number, total: number) => {
    if (i === requests) best = Math.min(best, total);
    if (i === requests) return;
    for (let k = release[i]; k + output[i] <= rounds; k++) {
      const sum = total + k + output[i] - arrival[i];
      if (sum + rest[i + 1] >= best) return;
      for (let g = 0; g < workers; g++) {
        let fits = true;
        for (let j = 1; j <= output[i]; j++) {
          if (tokens[g][k + j] + input[i] + j > kvTokens || running[g][k + j] + 1 > slots) fits = false;
        }
        if (!fits) continue;
        for (let j = 1; j <= output[i]; j++) {
          tokens[g][k + j] += input[i] + j;
          running[g][k + j]++;
        }
        place(i + 1, sum);
        for (let j = 1; j <= output[i]; j++) {
          tokens[g][k + j] -= input[i] + j;
          running[g][k + j]--;
        }
      }
    }
  };
  place(0, 0);
  return best;
}
