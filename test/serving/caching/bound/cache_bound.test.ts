import { describe, expect, test } from "vitest";
import { seeded } from "../../../../src/common/random.ts";
import { cacheBound } from "../../../../src/serving/caching/bound/cache_bound.ts";
import { certifyCacheBound } from "../../../../src/serving/caching/bound/certify_cache_bound.ts";
import type { CachePolicy } from "../../../../src/serving/caching/cache_policy.ts";
import type { CacheTrace } from "../../../../src/serving/caching/cache_trace.ts";
import { caching } from "../../../../src/serving/caching/caching.ts";
import { simulateCache } from "../../../../src/serving/caching/simulate_cache.ts";
import { leastCost, provenBy } from "./optimum.ts";

type Kind =
  | "unit sizes and costs"
  | "unit sizes"
  | "equal sizes, fractional costs"
  | "general"
  | "fractional"
  | "changing sizes";
const kinds: Kind[] = [
  "unit sizes and costs",
  "unit sizes",
  "equal sizes, fractional costs",
  "general",
  "fractional",
  "changing sizes",
];

function small(kind: Kind, seed: number): { trace: CacheTrace; capacity: number } {
  const random = seeded(1000 * kinds.indexOf(kind) + seed);
  const keys = 2 + random.below(4);
  const n = 1 + random.below(11);
  const sizes = Array.from({ length: keys }, () => 1 + random.below(5));
  const fraction = Array.from({ length: keys }, () => random.next() + 0.1);
  const key = Int32Array.from({ length: n }, () => random.below(keys));
  const sizeOf = (q: number) => {
    if (kind === "general") return sizes[q];
    if (kind === "fractional") return fraction[q];
    if (kind === "changing sizes") return 1 + random.below(2);
    return kind === "equal sizes, fractional costs" ? 0.3 : 1;
  };
  const costOf = () => {
    if (kind === "unit sizes and costs") return 1;
    return kind === "fractional" || kind === "equal sizes, fractional costs" ? random.next() : random.below(12);
  };
  const trace = { key, size: Float64Array.from(key, sizeOf), cost: Float64Array.from(key, costOf) };
  const scale = kind === "fractional" ? 0.5 : kind === "equal sizes, fractional costs" ? 0.3 : 1;
  return { trace, capacity: scale * (1 + random.below(kind === "general" ? 8 : 3) + (random.below(2) ? 0.4 : 0)) };
}

const policies = Object.values(caching).map((make) => (make as () => CachePolicy)());

describe.each(kinds)("%s, 400 traces against all ways to keep objects", (kind) => {
  test("bounds, certificates, windows and policies", () => {
    let exact = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const { trace, capacity } = small(kind, seed);
      const least = leastCost(trace, capacity);
      const rounding = 1e-12 * (1 + least);
      const found = cacheBound(trace, { capacity });
      expect(found.cost, `seed ${seed}`).toBeLessThanOrEqual(least + rounding);
      if (found.exact) {
        exact++;
        expect(Math.abs(found.cost - least), `seed ${seed}`).toBeLessThanOrEqual(rounding);
      }
      expect(certifyCacheBound(trace, { capacity }, found.prices)).toEqual({ cost: found.cost, valid: true });
      // The plain formula has no unit of sizes or costs, and is no better for it.
      expect(provenBy(trace, capacity, found.prices)).toBeLessThanOrEqual(found.cost + rounding);
      for (const window of [2, 5]) {
        const windows = cacheBound(trace, { capacity, window });
        expect(windows.cost, `seed ${seed}`).toBeLessThanOrEqual(least + rounding);
        if (windows.exact) expect(Math.abs(windows.cost - least)).toBeLessThanOrEqual(rounding);
      }
      for (const policy of policies)
        expect(simulateCache(trace, { capacity, policy }).cost).toBeGreaterThanOrEqual(found.cost - rounding);
    }
    expect(exact).toBeGreaterThan({ general: 300, fractional: 200, "changing sizes": 350 }[kind as string] ?? 399);
  });
});

describe("sizes and costs in decimals, which no double is", () => {
  const trace = (size: number[]): CacheTrace => ({
    key: Int32Array.from([...size.keys(), ...size.keys()]),
    size: Float64Array.from([...size, ...size]),
    cost: new Float64Array(2 * size.length).fill(1),
  });
  const lru = (given: CacheTrace, capacity: number) => simulateCache(given, { capacity, policy: caching.lru() }).cost;

  test("what is rounded to the capacity fits", () => {
    const three = trace([0.7, 0.6, 0.1]); // 2.8e-17 more than 1.4
    expect(lru(three, 1.4)).toBe(3);
    for (const price of [1 / 0.7, 1, 1.25, 1.3, 1.4, 1.42]) {
      const { cost } = certifyCacheBound(three, { capacity: 1.4 }, Float64Array.of(0, 0, price, 0, 0, 0));
      expect(cost).toBeLessThanOrEqual(3);
    }
    expect(cacheBound(three, { capacity: 1.4 }).cost).toBe(3);
  });

  test("what is not does not", () => {
    const equal = trace([0.1, 0.1, 0.1]); // 0.30000000000000004
    expect(lru(equal, 0.3)).toBe(6);
    expect(cacheBound(equal, { capacity: 0.3 })).toMatchObject({ cost: 4, exact: true });
    expect(cacheBound(equal, { capacity: 0.30000000000000004 })).toMatchObject({ cost: 3, exact: true });
  });

  test("a sum of costs is no less than what is proven", () => {
    const key = Int32Array.from({ length: 10 }, (_, i) => i);
    const once = { key, size: new Float64Array(10).fill(1), cost: new Float64Array(10).fill(0.1) };
    expect(lru(once, 1)).toBeGreaterThanOrEqual(cacheBound(once, { capacity: 1 }).cost);
  });

  test("500 random traces against all ways to keep objects", () => {
    const random = seeded(9);
    for (let seed = 1; seed <= 500; seed++) {
      const n = 2 + random.below(9);
      const tenths = Array.from({ length: 5 }, () => (1 + random.below(9)) / 10);
      const key = Int32Array.from({ length: n }, () => random.below(5));
      const given = {
        key,
        size: Float64Array.from(key, (q) => tenths[q]),
        cost: Float64Array.from(key, () => (seed % 2 ? 1 + random.below(9) : random.below(9) / 10)),
      };
      const capacity = (1 + random.below(20)) / 10;
      const least = leastCost(given, capacity);
      const rounding = 1e-12 * (1 + least);
      for (const window of [2, 4, 100]) {
        const { cost, exact } = cacheBound(given, { capacity, window });
        expect(cost, `seed ${seed}`).toBeLessThanOrEqual(least + rounding);
        if (exact) expect(cost, `seed ${seed}`).toBeGreaterThanOrEqual(least - rounding);
      }
      const { cost } = cacheBound(given, { capacity });
      for (const policy of policies)
        expect(simulateCache(given, { capacity, policy }).cost).toBeGreaterThanOrEqual(cost);
    }
  });
});

test("numbers at the ends of the doubles", () => {
  const key = Int32Array.of(0, 1, 2, 1, 0, 2, 1, 1, 0);
  const ends = [5e-324, 1e-310, 1e-300, 1, 1e300, 2 ** 1022];
  for (const size of ends) {
    for (const cost of ends) {
      for (const slope of [0, 1 / 4]) {
        const trace = {
          key,
          size: Float64Array.from(key, (q) => size * (1 + slope * q)),
          cost: Float64Array.from(key, (q) => cost * (1 - slope * q)),
        };
        const capacity = 1.5 * size;
        const found = cacheBound(trace, { capacity });
        // Of three first requests, at the least, and of all at the most.
        expect(found.cost).toBeGreaterThanOrEqual(3 * cost * (1 - slope) * (1 - 2 ** -50));
        expect(found.cost).toBeLessThanOrEqual(Math.min(Number.MAX_VALUE, 9 * cost));
        expect(certifyCacheBound(trace, { capacity }, found.prices)).toEqual({ cost: found.cost, valid: true });
      }
    }
  }
});

test("any prices prove a bound, and other numbers none", () => {
  const random = seeded(3);
  for (let seed = 1; seed <= 200; seed++) {
    const { trace, capacity } = small("general", seed);
    const least = leastCost(trace, capacity);
    const prices = Float64Array.from(trace.key, () => random.next() * 3 * random.below(2));
    const { cost, valid } = certifyCacheBound(trace, { capacity }, prices);
    expect(valid).toBe(true);
    expect(cost).toBeLessThanOrEqual(least);
    expect(provenBy(trace, capacity, prices)).toBeLessThanOrEqual(cost + 1e-9);
    for (const wrong of [-1e-9, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(certifyCacheBound(trace, { capacity }, prices.with(0, wrong))).toEqual({ cost: 0, valid: false });
    }
  }
});

test("degenerate traces", () => {
  const of = (key: number[], size: number[], cost: number[]): CacheTrace => ({
    key: Int32Array.from(key),
    size: Float64Array.from(size),
    cost: Float64Array.from(cost),
  });
  const bound = (trace: CacheTrace, capacity = 1) => {
    const { cost, exact, prices } = cacheBound(trace, { capacity });
    expect(prices.length).toBe(trace.key.length);
    return { cost, exact };
  };
  expect(bound(of([], [], []))).toEqual({ cost: 0, exact: true });
  expect(bound(of([5], [1], [3]))).toEqual({ cost: 3, exact: true });
  expect(bound(of([5, 5], [2, 2], [3, 3]))).toEqual({ cost: 6, exact: true }); // larger than the cache
  expect(bound(of([5, 5], [1, 1], [0, 0]))).toEqual({ cost: 0, exact: true });
  expect(bound(of([1, 2, 1, 2], [1, 1, 1, 1], [3, 4, 3, 4]), 100)).toEqual({ cost: 7, exact: true });
  expect(bound(of([1, 2, 1, 2], [1, 1, 1, 1], [3, 4, 3, 4]))).toEqual({ cost: 10, exact: true });
});

test("the better of two models counts", () => {
  const ones = Float64Array.of(1, 1);
  const trace = { key: Int32Array.of(1, 2), size: ones, cost: Float64Array.of(5, 5), smallCost: Float64Array.of(9, 2) };
  expect(cacheBound(trace, { capacity: 1 }).cost).toBe(7);
});

describe("errors", () => {
  const { trace } = small("general", 1);
  test.each([
    [{ capacity: 0 }, "capacity: expected a finite number > 0, got 0."],
    [{ capacity: 1, window: 1 }, "window: expected an integer >= 2, got 1."],
    [{ capacity: 1, windows: 9 }, 'options: expected only capacity, window, got "windows".'],
  ])("%j", (options, message) => expect(() => cacheBound(trace, options)).toThrow(message));
  test("prices of another trace", () =>
    expect(() => certifyCacheBound(trace, { capacity: 1 }, new Float64Array(1 + trace.key.length))).toThrow(
      "prices: expected",
    ));
});
