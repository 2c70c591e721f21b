import type { CacheTrace } from "../../../../src/serving/caching/cache_trace.ts";

/**
 * The least cost of all ways to keep objects, by dynamic programming over what is in the cache: after each request any of what was there may
 * have gone, and what was asked for may be there.
 */
export function leastCost({ key, size, cost }: CacheTrace, capacity: number): number {
  const keys = [...new Set(key)];
  let states = new Map<string, number>([["", 0]]); // what is there, with its sizes: "key:size,..." in the order of the keys
  for (let i = 0; i < key.length; i++) {
    const next = new Map<string, number>();
    const better = (state: string, total: number) => {
      if (total < (next.get(state) ?? Number.POSITIVE_INFINITY)) next.set(state, total);
    };
    for (const [state, total] of states) {
      const there = state === "" ? [] : state.split(",");
      const own = `${key[i]}:${size[i]}`;
      const after = total + (there.includes(own) ? 0 : cost[i]);
      const others = there.filter((one) => !one.startsWith(`${key[i]}:`));
      for (let set = 0; set < 2 ** (others.length + 1); set++) {
        const kept = [...others, own].filter((_, b) => (set >> b) & 1);
        if (roundedSum(kept.map((one) => Number(one.split(":")[1]))) > capacity) continue;
        better(
          kept.sort((a, b) => keys.indexOf(Number.parseInt(a, 10)) - keys.indexOf(Number.parseInt(b, 10))).join(","),
          after,
        );
      }
    }
    states = next;
  }
  return Math.min(...states.values());
}

/** As caches add up sizes: exactly, here in multiples of 2^-100, and rounded once. */
function roundedSum(sizes: readonly number[]): number {
  return Number(sizes.reduce((sum, size) => sum + BigInt(size * 2 ** 100), 0n)) / 2 ** 100;
}

/** What prices prove, by the plain formula. */
export function provenBy({ key, size, cost }: CacheTrace, capacity: number, prices: Float64Array): number {
  let proven = cost.reduce((a, b) => a + b, 0) - capacity * prices.reduce((a, b) => a + b, 0);
  key.forEach((q, j) => {
    const i = key.lastIndexOf(q, j - 1);
    if (j === 0 || i < 0 || size[i] !== size[j] || size[j] > capacity) return;
    proven -= Math.max(0, cost[j] - size[j] * prices.subarray(i, j).reduce((a, b) => a + b, 0));
  });
  return proven;
}
