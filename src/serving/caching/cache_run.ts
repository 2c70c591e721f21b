import { ExactSum } from "../../common/exact_sum.ts";
import type { Spread } from "../simulator/simulated.ts";
import { spreadOf } from "../simulator/spread.ts";
import type { CacheDecisionsOptions, CachePolicy } from "./cache_policy.ts";
import type { CacheTrace } from "./cache_trace.ts";
import { Contents } from "./contents.ts";

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

/** A simulation as far as its caller has taken it. Nothing is checked: `simulateCache` has what can be wrong. */
export class CacheRun {
  private readonly contents: Contents<undefined>;
  /** [n] */
  private readonly latency: Float64Array;
  private next = 0;
  private hits = 0;
  private found = 0;
  private asked = 0;
  /** As a plain sum would fall below what bounds prove, by its rounding. */
  private readonly cost = new ExactSum();
  private small = 0;

  constructor(
    private readonly trace: CacheTrace,
    policy: CachePolicy,
    o: CacheDecisionsOptions,
  ) {
    this.contents = new Contents(policy, o);
    this.latency = new Float64Array(trace.key.length);
  }

  /** Makes so many requests more, or all that are left. @returns whether any are left then. */
  advance(requests: number): boolean {
    const end = Math.min(this.trace.key.length, this.next + requests);
    for (; this.next < end; this.next++) this.request(this.next);
    return end < this.trace.key.length;
  }

  /**
   * When all requests have been made.
   *
   * @param fixed  what `fixedCost` is of this trace and this capacity.
   */
  end(fixed: number): SimulatedCache {
    const { trace, hits } = this;
    const cost = this.cost.value;
    const n = trace.key.length;
    return {
      ...{ hitRatio: share(hits, n), byteHitRatio: share(this.found, this.asked), cost },
      latency: spreadOf(this.latency),
      regret: cost - fixed,
      ...(trace.smallCost && { smallShare: share(this.small, n - hits) }),
    };
  }

  private request(i: number): void {
    const { trace, contents } = this;
    const { key, size, time, hitCost, parent } = trace;
    const now = time ? time[i] : i;
    const place = contents.placeOf(key[i]);
    this.asked += size[i];
    if (place >= 0 && contents.sizeAt(place) === size[i]) {
      contents.hit(place, now);
      this.hits++;
      this.found += size[i];
      if (hitCost) this.latency[i] = hitCost[i];
      return;
    }
    if (place >= 0) contents.remove(place);
    const model = trace.smallCost ? contents.choose(key[i]) : undefined;
    const cost = model === "small" ? trace.smallCost![i] : trace.cost[i];
    this.latency[i] = cost;
    this.cost.add(cost);
    if (model === "small") this.small++;
    const above = parent && parent[i] >= 0 ? parent[i] : undefined;
    contents.offer(key[i], { size: size[i], cost, now, parent: above, model }, undefined);
  }
}

const share = (part: number, of: number) => (of === 0 ? 0 : part / of);
