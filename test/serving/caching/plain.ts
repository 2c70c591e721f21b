import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";

/** A key in a cache that does all by looking through its list. */
export interface PlainEntry {
  key: number;
  size: number;
  cost: number;
  uses: number;
  /** Numbers of the requests at which it came, and was last used. */
  came: number;
  used: number;
  parent: number;
}

export interface PlainPolicy {
  /** Whether the newcomer is kept, were these to go for it. */
  admits?(newcomer: PlainEntry, victims: readonly PlainEntry[]): boolean;
  /** The one of these that goes. */
  next(among: readonly PlainEntry[]): PlainEntry;
  evicted?(entry: PlainEntry): void;
  requested?(key: number, cost: number, hit: boolean): void;
}

/** The requests that are found, by one policy after the books. */
export function plainHits(trace: CacheTrace, capacity: number, policy: PlainPolicy): boolean[] {
  let cached: PlainEntry[] = [];
  return Array.from(trace.key, (key, i) => {
    const size = trace.size[i];
    const cost = trace.cost[i];
    const found = cached.find((one) => one.key === key);
    policy.requested?.(key, cost, found !== undefined);
    if (found) {
      found.uses++;
      found.used = i;
      return true;
    }
    const parent = trace.parent?.[i] ?? -1;
    const newcomer = { key, size, cost, uses: 1, came: i, used: i, parent };
    if (size > capacity || (parent >= 0 && !cached.some((one) => one.key === parent))) return false;
    const victims: PlainEntry[] = [];
    let left = cached;
    while (left.reduce((sum, one) => sum + one.size, size) > capacity) {
      const leaves = left.filter((one) => one.key !== parent && !left.some((other) => other.parent === one.key));
      if (leaves.length === 0) return false;
      const victim = policy.next(leaves);
      victims.push(victim);
      left = left.filter((one) => one !== victim);
    }
    if (policy.admits && !policy.admits(newcomer, victims)) return false;
    for (const victim of victims) policy.evicted?.(victim);
    cached = [...left, newcomer];
    return false;
  });
}

export const leastOf = <T>(items: readonly T[], ...by: ((item: T) => number)[]): T =>
  items.reduce((least, one) => {
    for (const of of by) if (of(one) !== of(least)) return of(one) < of(least) ? one : least;
    return least;
  });
