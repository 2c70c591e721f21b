import { ArgumentError, ShapeError, shown } from "../../common/errors.ts";
import { requireNumbers } from "../../common/numbers.ts";
import { requireKnown } from "../../common/objects.ts";

/** Requests to a cache, in their order. */
export interface CacheTrace {
  /** [n] an integer >= 0. */
  key: Int32Array;
  /** [n] finite and > 0, in the unit of the capacity. Where a key's size changes what was there is out of date and gone: a miss. With parents no size may change. */
  size: Float64Array;
  /** [n] of a miss, finite and >= 0: s, tokens to prefill, or 1. */
  cost: Float64Array;
  /** [n] s, ascending. Without it a request's number is its time. */
  time?: Float64Array;
  /** [n] what a hit takes, finite and >= 0, in the unit of the costs. It is part of the latency, and never of the cost. 0 by default. */
  hitCost?: Float64Array;
  /** [n] of a miss that is sent to the small model first, what the large one takes where it fails included; `cost` is then the large model's. */
  smallCost?: Float64Array;
  /** [n] the key whose object must be there while this one is, as a prefix cache's blocks have; -1: none. It is requested just before. */
  parent?: Int32Array;
}

export const cacheTraceFields = {
  ...{ key: true, size: true, cost: true, time: true, hitCost: true, smallCost: true, parent: true },
} as const satisfies Record<keyof CacheTrace, true>;

/** Throws where it is no trace: a length, a NaN, a size of 0, a time before the one before it. */
export function checkCacheTrace(trace: CacheTrace): void {
  if (typeof trace !== "object" || trace === null) throw new ArgumentError("trace", "an object", trace);
  requireKnown("trace", trace, cacheTraceFields);
  requireNumbers("trace.key", trace.key);
  const isKey = (x: number) => Number.isInteger(x) && x >= 0 && x < 2 ** 31;
  const isCost = (x: number) => Number.isFinite(x) && x >= 0;
  checkEach(trace, "key", "an integer from 0 to 2^31 - 1", isKey);
  checkEach(trace, "size", "finite and > 0", (x) => Number.isFinite(x) && x > 0);
  checkEach(trace, "cost", "finite and >= 0", isCost);
  if (trace.time !== undefined) checkTimes(trace, trace.time);
  if (trace.hitCost !== undefined) checkEach(trace, "hitCost", "finite and >= 0", isCost);
  if (trace.smallCost !== undefined) checkEach(trace, "smallCost", "finite and >= 0", isCost);
  if (trace.parent === undefined) return;
  checkEach(trace, "parent", "-1, or an integer from 0 to 2^31 - 1", (x) => x === -1 || isKey(x));
  checkSizes(trace);
}

/** @throws {ArgumentError} It is none: not finite, or not above 0. */
export function requireCapacity(capacity: number, argument = "capacity"): void {
  if (!(typeof capacity === "number" && Number.isFinite(capacity) && capacity > 0))
    throw new ArgumentError(argument, "a finite number > 0", capacity);
}

function checkEach(
  trace: CacheTrace,
  name: keyof CacheTrace,
  expected: string,
  good: (value: number) => boolean,
): void {
  const values = trace[name]!;
  requireNumbers(`trace.${name}`, values);
  if (values.length !== trace.key.length)
    throw new ShapeError(`trace.${name}`, `${trace.key.length} values, as trace.key`, values.length);
  for (let i = 0; i < values.length; i++) {
    if (!good(values[i])) throw new ArgumentError(`trace.${name}[${i}]`, expected, values[i]);
  }
}

function checkSizes({ key, size }: CacheTrace): void {
  const sizes = new Map<number, number>();
  for (let i = 0; i < key.length; i++) {
    const before = sizes.get(key[i]) ?? size[i];
    if (size[i] !== before)
      throw new ArgumentError(
        `trace.size[${i}]`,
        `${before}, as key ${key[i]} had before, as there are parents`,
        size[i],
      );
    sizes.set(key[i], before);
  }
}

function checkTimes(trace: CacheTrace, time: Float64Array): void {
  checkEach(trace, "time", "finite", Number.isFinite);
  for (let i = 1; i < time.length; i++) {
    if (time[i] >= time[i - 1]) continue;
    throw new ArgumentError(`trace.time[${i}]`, `no earlier than the one before it, ${shown(time[i - 1])}`, time[i]);
  }
}
