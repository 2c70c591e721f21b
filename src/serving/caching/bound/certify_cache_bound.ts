import { ShapeError } from "../../../common/errors.ts";
import { commonUnit, doubleBelow, mostPlaces, multiple } from "../../../common/exact_sums.ts";
import { requireNumbers } from "../../../common/numbers.ts";
import { type FieldsOf, requireObject } from "../../../common/objects.ts";
import { type CacheTrace, checkCacheTrace, requireCapacity } from "../cache_trace.ts";
import { missCosts, type Reuses, reusesOf } from "./reuses.ts";
import { howMany, nextAbove } from "./room.ts";

export interface CertifyCacheBoundOptions {
  /** In the unit of the sizes. */
  capacity: number;
}

export interface CertifiedCacheBound {
  /** Of misses, at the least, whatever is kept; 0 where nothing is proven. */
  cost: number;
  /** Whether the prices prove it. */
  valid: boolean;
}

const fields: FieldsOf<CertifyCacheBoundOptions> = { capacity: true };

/**
 * What prices of a cache's room prove of every policy, also of those that know all requests beforehand: computed anew from the trace and the prices
 * alone, in exact arithmetic and rounded down to a double. With mu_t the price of a unit of room between requests t and t + 1, and j running over the
 * reuses, a key asked for again with the size s_j it had, at most the capacity C, at a miss cost c_j,
 *
 *   cost  >=  sum_t c_t - C sum_t mu_t - sum_j max(0, c_j - s_j mu(j)),    mu(j) = the sum of mu_t from the request before to this one
 *
 * since what a cache keeps at a time has room for C, and each hit it makes is worth no more than the room it took, at its price, and what is left of c_j.
 * It holds for any mu >= 0, and for caches that need not keep what they are asked for. Two facts of the trace sharpen it: where all sizes s_j are whole
 * multiples of a unit, C counts rounded down to one, else what is rounded to C fits, as in caches that add up doubles; and where all costs c_j are, so does what is saved.
 *
 * Where there are two models a miss costs what the better one does. Parents are not regarded: it holds for caches that keep to them, too.
 *
 * @param prices  mu [n]; those that are negative or not finite prove nothing.
 * @throws {ArgumentError} The trace, or an option, is none.  @throws {ShapeError} There are not n prices.
 * @see D. Berger, N. Beckmann, M. Harchol-Balter, Practical bounds on optimal caching with variable object sizes, POMACS 2(2), 2018, for the flow of
 * which this is the dual.
 */
export function certifyCacheBound(
  trace: CacheTrace,
  o: CertifyCacheBoundOptions,
  prices: Float64Array,
): CertifiedCacheBound {
  checkCacheTrace(trace);
  requireObject("options", o, fields);
  requireCapacity(o.capacity);
  requireNumbers("prices", prices);
  const n = trace.key.length;
  if (prices.length !== n) throw new ShapeError("prices", `${n} values, one after each request`, prices.length);
  for (let t = 0; t < n; t++) {
    if (!(Number.isFinite(prices[t]) && prices[t] >= 0)) return { cost: 0, valid: false };
  }
  const costs = missCosts(trace);
  const cost = provenCost(costs, reusesOf(trace, costs, o.capacity), o.capacity, Float64Array.from(prices));
  return Number.isFinite(cost) ? { cost, valid: true } : { cost: 0, valid: false };
}

/** The right side. Units of money are 2^-places, of which a unit of size at a unit of price is one. */
export function provenCost(costs: Float64Array, reuses: Reuses, capacity: number, prices: Float64Array): number {
  const { first, last, size, cost } = reuses;
  const above = nextAbove(capacity);
  const sizePlaces = 1 + Math.max(mostPlaces(size), mostPlaces(Float64Array.of(capacity, above)));
  const places = Math.max(mostPlaces(costs), sizePlaces + mostPlaces(prices));
  const before = [0n]; // of the gaps before a request
  for (const price of prices) {
    const sum = before[before.length - 1];
    before.push(price === 0 ? sum : sum + multiple(price, places - sizePlaces));
  }
  const unit = commonUnit(size);
  const units = unit > 0 ? howMany(capacity, unit) : Number.POSITIVE_INFINITY;
  const counted = units <= Number.MAX_SAFE_INTEGER;
  const room = counted ? BigInt(units) * multiple(unit, sizePlaces) : halfWay(capacity, above, sizePlaces);
  let saved = room * before[prices.length];
  for (let j = 0; j < size.length; j++) {
    const price = before[last[j]] - before[first[j]];
    const gain = multiple(cost[j], places) - (price === 0n ? 0n : multiple(size[j], sizePlaces) * price);
    if (gain > 0n) saved += gain;
  }
  const costUnit = commonUnit(cost);
  if (costUnit > 0) saved -= saved % multiple(costUnit, places);
  return doubleBelow(costs.reduce((sum, c) => sum + multiple(c, places), 0n) - saved, places);
}

/** Whatever adds up to no more is rounded to `capacity` at the most. */
const halfWay = (capacity: number, above: number, places: number): bigint =>
  (multiple(capacity, places) + multiple(above, places)) / 2n;
