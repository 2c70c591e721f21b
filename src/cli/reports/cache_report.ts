import { Pauses } from "../../common/pauses.ts";
import { CacheRun, type SimulatedCache } from "../../serving/caching/cache_run.ts";
import type { CacheTrace } from "../../serving/caching/cache_trace.ts";
import { fixedCost } from "../../serving/caching/fixed_cost.ts";
import { type CachePolicyName, type CacheTraceFigures, cachePolicyOf } from "./cache_policies.ts";

/** What is asked for. */
export interface CacheSetting {
  source: string;
  /** Of which the trace's requests are the blocks; undefined where it is no trace of prompts. */
  prompts?: number;
  /** Undefined where the trace does not tell. */
  sizeUnit?: "tokens";
  costUnit?: "tokens" | "s";
  /** Where the seconds of a block come from. */
  stepTimeFrom?: string;
}

/** What there is to know of a trace by itself. */
export interface CacheFigures extends CacheTraceFigures {
  /** Sizes of all objects together: with so much capacity all fit. */
  footprint: number;
  /** Of an object: the least and the most. */
  sizes: readonly [least: number, most: number];
  /** Of all misses without a cache, and with one for all: each object's first request. */
  costWithout: number;
  costWithAll: number;
}

export interface SimulatedPolicy extends SimulatedCache {
  policy: CachePolicyName;
  /** Its cost over the bound; undefined without, and where that is 0. */
  overBound?: number;
}

export interface Capacity {
  /** In the unit of the sizes. */
  capacity: number;
  /** Of the footprint. */
  share: number;
}

export interface AtCapacity extends Capacity {
  /** What no policy costs less than, even one that knows all requests beforehand; exact: the best of them costs just that. */
  bound?: { cost: number; exact: boolean };
  policies: SimulatedPolicy[];
}

/** Everything that `cache` has to say; `cache --json` prints it as it is. */
export interface CacheReport extends CacheSetting, CacheFigures {
  policies: readonly CachePolicyName[];
  /** Requests that the bound looks at together; undefined: as many as it likes. */
  window?: number;
  /** Ascending. */
  capacities: AtCapacity[];
}

/** @param trace  in which a key's size never changes, as in those that are read from files. */
export function cacheFiguresOf({ key, size, cost }: CacheTrace): CacheFigures {
  const seen = new Set<number>();
  const sizes: [number, number] = [Number.POSITIVE_INFINITY, 0];
  const costs: [number, number] = [Number.POSITIVE_INFINITY, 0];
  let [footprint, costWithout, costWithAll] = [0, 0, 0];
  for (let i = 0; i < key.length; i++) {
    costs[0] = Math.min(costs[0], cost[i]);
    costs[1] = Math.max(costs[1], cost[i]);
    costWithout += cost[i];
    if (seen.has(key[i])) continue;
    seen.add(key[i]);
    sizes[0] = Math.min(sizes[0], size[i]);
    sizes[1] = Math.max(sizes[1], size[i]);
    footprint += size[i];
    costWithAll += cost[i];
  }
  return { requests: key.length, objects: seen.size, footprint, sizes, costs, costWithout, costWithAll };
}

/** Requests between two looks at the clock. */
const PIECE = 1024;

/** Every policy at every capacity. */
export async function simulateCaches(
  trace: CacheTrace,
  figures: CacheFigures,
  { capacities, policies }: { capacities: readonly Capacity[]; policies: readonly CachePolicyName[] },
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<AtCapacity[]> {
  const pauses = new Pauses(signal);
  const all = capacities.length * policies.length * figures.requests;
  const found: AtCapacity[] = [];
  let before = 0;
  for (const { capacity, share } of capacities) {
    const simulated: SimulatedPolicy[] = [];
    const fixed = fixedCost(trace, capacity); // the same for all policies
    for (const policy of policies) {
      const run = new CacheRun(trace, cachePolicyOf(policy, figures), { capacity, seed: 0 }); // none of them draws by chance
      for (let made = PIECE; run.advance(PIECE); made += PIECE) {
        if (!pauses.due) continue;
        onProgress((before + made) / all);
        await pauses.take();
      }
      before += figures.requests;
      simulated.push({ policy, ...run.end(fixed) });
    }
    found.push({ capacity, share, policies: simulated });
  }
  return found;
}
