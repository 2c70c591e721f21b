import type { BoundPrices } from "../bound/bound_options.ts";
import type { TimedRequests } from "../bound/timed_requests.ts";

/** Sums of prices up to each round, from which a start's cost takes two look-ups. */
export interface PriceSums {
  /** T: beyond it nothing has a price. */
  horizon: number;
  /** [T + 1] sum of v_j, j <= t. */
  held: Float64Array;
  /** [T + 1] sum of j v_j + w_j, j <= t. */
  grown: Float64Array;
}

export function priceSums({ kv, slot }: BoundPrices): PriceSums {
  const horizon = kv.length - 1;
  const held = new Float64Array(kv.length);
  const grown = new Float64Array(kv.length);
  for (let t = 1; t <= horizon; t++) {
    held[t] = held[t - 1] + kv[t];
    grown[t] = grown[t - 1] + t * kv[t] + (slot ? slot[t] : 0);
  }
  return { horizon, held, grown };
}

/** What a start at k, before round T, waits and pays: k - a + sum over t = k + 1 .. k + o of (s + t - k) v_t + w_t. */
export function pricedStart({ horizon, held, grown }: PriceSums, a: number, s: number, o: number, k: number): number {
  const e = Math.min(k + o, horizon);
  return k - a + (s - k) * (held[e] - held[k]) + grown[e] - grown[k];
}

/**
 * Twin of shaders/serving/price.wgsl: each request's cheapest start, in f64 and by sums from the beginning on where the kernel slides.
 *
 * @param start  [n], written.
 * @param change  [T + 2, 2] added to: the second differences of what is held, modulo 2^32; zeroed by the caller.
 * @param first, end  the requests that are priced: all of them by default.
 */
export function price(
  requests: TimedRequests,
  sums: PriceSums,
  start: Int32Array,
  change: Int32Array,
  first = 0,
  end = requests.requests,
): void {
  const { horizon } = sums;
  for (let i = first; i < end; i++) {
    const a = requests.arrival[i];
    const s = requests.input[i];
    const o = requests.output[i];
    const k = cheapest(sums, a, s, o);
    start[i] = k;
    if (k >= horizon) continue;
    const e = Math.min(k + o, horizon);
    change[2 * (k + 1)] += s - k;
    change[2 * (k + 1) + 1] += 1;
    change[2 * (e + 1)] -= s - k;
    change[2 * (e + 1) + 1] -= 1;
  }
}

/** The first k of least cost. No later start than one that waits as long as the best costs can be better. */
function cheapest(sums: PriceSums, a: number, s: number, o: number): number {
  const { horizon, held, grown } = sums;
  if (a >= horizon) return a;
  let best = a;
  let least = pricedStart(sums, a, s, o, a);
  const whole = Math.min(horizon - o, horizon);
  let k = a + 1;
  // The window ends before the horizon: the loop that takes the time.
  for (; k <= whole && k - a < least; k++) {
    const cost = k - a + (s - k) * (held[k + o] - held[k]) + grown[k + o] - grown[k];
    if (cost >= least) continue;
    least = cost;
    best = k;
  }
  for (; k <= horizon && k - a < least; k++) {
    const cost = pricedStart(sums, a, s, o, k);
    if (cost >= least) continue;
    least = cost;
    best = k;
  }
  return best;
}
