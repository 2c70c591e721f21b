import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { requirePolicy } from "../policy_answers.ts";
import type { Spread } from "../simulator/simulated.ts";
import { spreadOf } from "../simulator/spread.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { type CacheTrace, checkCacheTrace, requireCapacity } from "./cache_trace.ts";
import { Contents } from "./contents.ts";
import { fixedCost } from "./fixed_cost.ts";

export interface SimulateCacheOptions {
  /** In the unit of the sizes; finite and > 0. */
  capacity: number;
  policy: CachePolicy;
  /** Of policies that draw by chance; an integer, 0 by default. */
  seed?: number;
}

export interface SimulatedCache {
  /** Share of the requests that were found. */
  hitRatio: number;
  /** Share of the requested sizes that was found. */
  byteHitRatio: number;
  /** Of all misses together. */
  cost: number;
  /** What each request had to wait for: the cost of its miss, or its hit. In the unit of the costs. */
  latency: Spread;
  /**
   * cost - that of the best contents, and of the best model for each key, that never change and are there from the beginning, all requests being known:
   * exactly for equal sizes, and else at the most that it can be. Below 0 where change pays.
   */
  regret: number;
  /** Misses that went to the small model, of those that could; undefined without a choice. */
  smallShare?: number;
}

const fields = { capacity: true, policy: true, seed: true } satisfies FieldsOf<SimulateCacheOptions>;

/**
 * Asks a cache for the requests of a trace, one after the other; what is not there costs what the trace says, and is offered to the policy.
 * An object whose size has changed is not there. The same trace, policy and seed give the same figures on every machine.
 *
 * @param trace  Read, not kept.
 * @returns shares are 0, and the latency's figures NaN, of a trace without requests.
 * @throws {ArgumentError} The trace or an option is out of range; a policy of the caller's own breaks a rule, which is named.
 */
export function simulateCache(trace: CacheTrace, options: SimulateCacheOptions): SimulatedCache {
  requireObject("options", options, fields);
  const { capacity, policy, seed = 0 } = options;
  checkCacheTrace(trace);
  requireCapacity(capacity);
  requirePolicy("policy", policy);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  const { key, size, time, hitCost, parent } = trace;
  const n = key.length;
  const contents = new Contents<undefined>(policy, { capacity, seed });
  const latency = new Float64Array(n);
  const totals = { hits: 0, found: 0, asked: 0, cost: 0, small: 0 };
  for (let i = 0; i < n; i++) {
    const now = time ? time[i] : i;
    const place = contents.placeOf(key[i]);
    totals.asked += size[i];
    if (place >= 0 && contents.sizeAt(place) === size[i]) {
      contents.hit(place, now);
      totals.hits++;
      totals.found += size[i];
      if (hitCost) latency[i] = hitCost[i];
      continue;
    }
    if (place >= 0) removeChanged(contents, place, trace, i);
    const model = trace.smallCost ? contents.choose(key[i]) : undefined;
    const cost = model === "small" ? trace.smallCost![i] : trace.cost[i];
    latency[i] = cost;
    totals.cost += cost;
    if (model === "small") totals.small++;
    const above = parent && parent[i] >= 0 ? parent[i] : undefined;
    contents.offer(key[i], { size: size[i], cost, now, parent: above, model }, undefined);
  }
  const share = (part: number, of: number) => (of === 0 ? 0 : part / of);
  return {
    hitRatio: share(totals.hits, n),
    byteHitRatio: share(totals.found, totals.asked),
    cost: totals.cost,
    latency: spreadOf(latency),
    regret: totals.cost - fixedCost(trace, capacity),
    ...(trace.smallCost && { smallShare: share(totals.small, n - totals.hits) }),
  };
}

function removeChanged(contents: Contents<undefined>, place: number, { key, size }: CacheTrace, i: number): void {
  if (contents.isParent(place))
    throw new ArgumentError(`trace.size[${i}]`, `as before, since key ${key[i]} is the parent of others`, size[i]);
  contents.remove(place);
}
