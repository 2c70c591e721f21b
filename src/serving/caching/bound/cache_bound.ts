import { type FieldsOf, requireObject } from "../../../common/objects.ts";
import { requireRange } from "../../policy_options.ts";
import { type CacheTrace, checkCacheTrace, requireCapacity } from "../cache_trace.ts";
import { belady } from "./belady.ts";
import { provenCost } from "./certify_cache_bound.ts";
import { type GapPrices, gapPrices } from "./gap_prices.ts";
import { planCost } from "./plan_cost.ts";
import { missCosts, type Reuses, reusesOf } from "./reuses.ts";
import { howMany } from "./room.ts";
import { type ProvenPrices, windowedPrices } from "./windows.ts";

export interface CacheBoundOptions {
  /** In the unit of the sizes; finite and > 0. */
  capacity: number;
  /** Requests that are solved together; an integer >= 2. Without it all of them, up to 2^20. */
  window?: number;
}

export interface CacheBound {
  /** Of all misses: what `prices` prove, as `certifyCacheBound` has it. */
  cost: number;
  /** [n] mu: of a unit of room between a request and the next. */
  prices: Float64Array;
  /** Whether there is a way to keep objects at this cost, to within 2^-40 of it where costs are fractions: then it is the optimum. */
  exact: boolean;
}

const fields: FieldsOf<CacheBoundOptions> = { capacity: true, window: true };

/** Prices of fractions are rounded. */
const ROUNDING = 2 ** -40;
/** Requests that are solved together where nothing else is asked for. */
const WINDOW = 2 ** 20;

/**
 * What the misses of a trace cost at the least, whatever is kept, all requests being known: the offline optimum of caches that need not keep what they
 * are asked for, or a bound of it, with prices as its proof.
 *
 * Keeping an object from one request for it to the next takes up its size in between and saves the cost of a miss. What is best to keep, each object
 * whole or in part, is a flow, and its dual are prices of room (`certifyCacheBound`). Of equal sizes the flow keeps objects whole: the bound is
 * the optimum. Of equal costs as well it is Belady's. Of other sizes it is the optimum where `exact` says so, else a little below it.
 *
 * With `window` as many requests are solved at a time, and what lies around the borders anew; the prices are then proven on the whole. That is a bound
 * that is a little lower, in less time where the trace is long and room scarce.
 *
 * @param trace  Read, not kept. Costs of two models count as the better one's. Parents are left aside: a bound of caches that keep to them, too.
 * @throws {ArgumentError} The trace or an option is out of range.
 * @see D. Berger, N. Beckmann, M. Harchol-Balter, Practical Bounds on Optimal Caching with Variable Object Sizes, POMACS 2(2), 2018.
 */
export function cacheBound(trace: CacheTrace, options: CacheBoundOptions): CacheBound {
  const steps = cacheBoundSteps(trace, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The same step by step: yields the share that is done. */
export function* cacheBoundSteps(trace: CacheTrace, options: CacheBoundOptions): Generator<number, CacheBound> {
  requireObject("options", options, fields);
  const { capacity, window = WINDOW } = options;
  checkCacheTrace(trace);
  requireCapacity(capacity);
  requireRange("window", window, "an integer >= 2", (x) => Number.isInteger(x) && x >= 2);
  const n = trace.key.length;
  const costs = missCosts(trace);
  const reuses = reusesOf(trace, costs, capacity);
  if (reuses.cost.length === 0) {
    const prices = new Float64Array(n);
    return { cost: provenCost(costs, reuses, capacity, prices), prices, exact: true };
  }
  yield 0;
  const isBelady = alike(reuses.size) && alike(reuses.cost);
  if (!isBelady && n > window) {
    const proven = yield* windowedPrices(costs, reuses, capacity, window);
    yield 1;
    return { ...proven, exact: false };
  }
  const { prices, kept } = isBelady ? allAlike(reuses, n, capacity) : yield* gapPrices(reuses, n, capacity);
  yield 1;
  const planned = planCost(costs, reuses, capacity, kept);
  const proven = better(costs, reuses, capacity, prices);
  return { ...proven, exact: planned !== undefined && planned - proven.cost <= ROUNDING * planned };
}

function allAlike(reuses: Reuses, requests: number, capacity: number): GapPrices {
  const [size, cost] = [reuses.size[0], reuses.cost[0]];
  return belady(reuses, requests, howMany(capacity, size), Math.min(Number.MAX_VALUE, cost / size));
}

/** No prices prove more than some at the end of all numbers, where sizes are so much smaller than costs. */
function better(costs: Float64Array, reuses: Reuses, capacity: number, prices: Float64Array): ProvenPrices {
  const none = new Float64Array(prices.length);
  const cost = provenCost(costs, reuses, capacity, prices);
  const least = provenCost(costs, reuses, capacity, none);
  return cost >= least ? { cost, prices } : { cost: least, prices: none };
}

const alike = (values: Float64Array) => values.every((x) => x === values[0]);
