import type { CacheTrace } from "../cache_trace.ts";

/**
 * Requests of what is asked for again with the size that it had: all that a cache can save. Gap t lies between requests t and t + 1; to save the miss of
 * `last` the object must be there in all gaps from `first` to `last` - 1.
 */
export interface Reuses {
  /** [m] request before which it was asked for last. */
  first: Int32Array;
  /** [m] ascending. */
  last: Int32Array;
  /** [m] at most the capacity. */
  size: Float64Array;
  /** [m] of the miss, > 0. */
  cost: Float64Array;
}

/** [n] the least that a miss can cost: that of the better model, where there are two. */
export function missCosts({ cost, smallCost }: CacheTrace): Float64Array {
  return smallCost ? cost.map((c, i) => Math.min(c, smallCost[i])) : cost;
}

export function reusesOf({ key, size }: CacheTrace, cost: Float64Array, capacity: number): Reuses {
  const n = key.length;
  const first = new Int32Array(n);
  const last = new Int32Array(n);
  const requested = new Map<number, number>();
  let m = 0;
  for (let i = 0; i < n; i++) {
    const before = requested.get(key[i]);
    requested.set(key[i], i);
    if (before === undefined || size[before] !== size[i] || size[i] > capacity || cost[i] === 0) continue;
    first[m] = before;
    last[m++] = i;
  }
  const of = (values: Float64Array) => Float64Array.from(last.subarray(0, m), (i) => values[i]);
  return { first: first.slice(0, m), last: last.slice(0, m), size: of(size), cost: of(cost) };
}
