import { seeded } from "../../../src/common/random.ts";
import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";

/** Keys of which the first are asked for the most; each has its size and its cost. */
export function randomTrace(
  seed: number,
  o: { requests: number; keys: number; sizes: number; costs: number },
): CacheTrace {
  const random = seeded(seed);
  const sizes = Array.from({ length: o.keys }, () => 1 + random.below(o.sizes));
  const costs = Array.from({ length: o.keys }, () => 1 + random.below(o.costs));
  const key = Int32Array.from({ length: o.requests }, () => Math.floor(o.keys * random.next() ** 2));
  return { key, size: Float64Array.from(key, (q) => sizes[q]), cost: Float64Array.from(key, (q) => costs[q]) };
}

/** Requests for a node of a binary tree, its root first: node q has 2q + 1 and 2q + 2 below it. */
export function treeTrace(seed: number, o: { requests: number; nodes: number }): CacheTrace {
  const random = seeded(seed);
  const key: number[] = [];
  while (key.length < o.requests) {
    const path: number[] = [];
    for (let q = Math.floor(o.nodes * random.next() ** 2); q >= 0; q = ((q + 1) >> 1) - 1) path.unshift(q);
    key.push(...path);
  }
  const parent = Int32Array.from(key, (q) => ((q + 1) >> 1) - 1);
  const ones = new Float64Array(key.length).fill(1);
  return { key: Int32Array.from(key), size: ones, cost: ones.slice(), parent };
}
