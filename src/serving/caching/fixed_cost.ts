import { howMany } from "./bound/room.ts";
import type { CacheTrace } from "./cache_trace.ts";
import { Places } from "./places.ts";

/** What all requests for a key would save if it were there from the beginning on. */
interface Savings {
  /** [K] the least that the key's ever is. */
  size: Float64Array;
  /** [K] min(sum of its costs, sum of its costs by the small model). */
  saved: Float64Array;
}

/**
 * What a trace costs with contents that never change, the best that there are, or less:
 *
 *   sum_q W_q - max { sum_q x_q W_q : sum_q x_q size_q <= C, 0 <= x <= 1 }  =  sum_q W_q - min over p >= 0 of (p C + sum_q max(0, W_q - p size_q))
 *
 * over the keys q that fit, with W_q what q saves. The least is at a p = W_q / size_q, or 0 (G. Dantzig, 1957). Of equal sizes only whole ones
 * are counted in C, and the best contents cost just this.
 */
export function fixedCost(trace: CacheTrace, capacity: number): number {
  const { size, saved } = savingsOf(trace);
  const all = saved.reduce((sum, one) => sum + one, 0);
  const fits = size.map((one) => (one <= capacity ? 1 : 0));
  const equal = size.every((one) => one === size[0]);
  const room = equal && size.length > 0 ? howMany(capacity, size[0]) * size[0] : capacity;
  const worth = saved.map((one, q) => one / size[q]);
  const excess = (price: number) => {
    let taken = 0;
    for (let q = 0; q < size.length; q++) if (fits[q] === 1 && worth[q] > price) taken += size[q];
    return taken - room;
  };
  const price = excess(0) <= 0 ? 0 : leastWithout(excess, worth.slice().sort());
  let kept = price * room;
  for (let q = 0; q < size.length; q++) if (fits[q] === 1) kept += Math.max(0, saved[q] - price * size[q]);
  return all - kept;
}

/** The least of the prices at which nothing exceeds. */
function leastWithout(excess: (price: number) => number, ascending: Float64Array): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (excess(ascending[middle]) <= 0) high = middle;
    else low = middle + 1;
  }
  return ascending[low];
}

function savingsOf({ key, size, cost, smallCost }: CacheTrace): Savings {
  const places = new Places();
  const sizes: number[] = [];
  const large: number[] = [];
  const small: number[] = [];
  for (let i = 0; i < key.length; i++) {
    let q = places.of(key[i]);
    if (q < 0) {
      q = places.add(key[i]);
      sizes[q] = size[i];
      large[q] = 0;
      small[q] = 0;
    }
    if (size[i] < sizes[q]) sizes[q] = size[i];
    large[q] += cost[i];
    small[q] += smallCost ? smallCost[i] : cost[i];
  }
  return { size: Float64Array.from(sizes), saved: Float64Array.from(large, (one, q) => Math.min(one, small[q])) };
}
