import { describe, expect, test } from "vitest";
import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { fixedCost } from "../../../src/serving/caching/fixed_cost.ts";
import { simulateCache } from "../../../src/serving/caching/simulate_cache.ts";
import { randomTrace } from "./traces.ts";

const trace = (rows: [key: number, size: number, cost: number][]): CacheTrace => ({
  key: Int32Array.from(rows, ([key]) => key),
  size: Float64Array.from(rows, ([, size]) => size),
  cost: Float64Array.from(rows, ([, , cost]) => cost),
});

test("by hand: LRU of capacity 4", () => {
  const rows: [number, number, number][] = [
    [1, 2, 10],
    [2, 1, 5],
    [1, 2, 10],
    [3, 2, 7],
    [2, 1, 5],
    [1, 2, 10],
    [9, 5, 1],
    [1, 2, 10],
  ];
  const o = { capacity: 4, policy: caching.lru() };
  const hitCost = new Float64Array(8).fill(0.5);
  // 1 miss, 2 miss, 1 hit, 3 miss (2 goes), 2 miss (1 goes), 1 miss (3 goes), 9 too large, 1 hit
  const out = simulateCache({ ...trace(rows), hitCost }, o);
  expect(out).toMatchObject({ hitRatio: 2 / 8, byteHitRatio: 4 / 17, cost: 10 + 5 + 7 + 5 + 10 + 1 });
  expect(out.latency.mean).toBeCloseTo((38 + 2 * 0.5) / 8, 12);
  expect(out.latency.p50).toBe(5);
  // What never changes costs this at least: 1, 2 and half of 3 are there, and 9 does not fit.
  expect(out.regret).toBe(38 - (7 / 2 + 1));
  expect(simulateCache(trace(rows), o).latency.mean).toBeCloseTo(38 / 8, 12);
});

test("an object whose size has changed is not there, and the old one no longer is", () => {
  const o = { capacity: 4, policy: caching.lru() };
  const out = simulateCache(
    trace([
      [1, 2, 1],
      [1, 3, 1],
      [1, 3, 1],
      [2, 1, 1],
      [1, 3, 1],
    ]),
    o,
  );
  expect(out.hitRatio).toBe(2 / 5);
  const parents = {
    ...trace([
      [1, 1, 1],
      [2, 1, 1],
      [1, 2, 1],
    ]),
    parent: Int32Array.of(-1, 1, -1),
  };
  expect(() => simulateCache(parents, o)).toThrow(
    "trace.size[2]: expected 1, as key 1 had before, as there are parents, got 2.",
  );
});

test("a policy is told the time of the trace, or the number of the request, and the parent", () => {
  const told: unknown[][] = [];
  const policy = {
    name: "told",
    create: (o: object) => {
      told.push([o]);
      return {
        hit: (...given: unknown[]) => void told.push(given),
        admit: (...given: unknown[]) => told.push(given) > 0,
        victim: () => undefined,
        removed: () => {},
      };
    },
  };
  const three = trace([
    [7, 1, 2],
    [8, 1, 3],
    [7, 1, 2],
  ]);
  simulateCache({ ...three, parent: Int32Array.of(-1, 7, -1) }, { capacity: 2, policy, seed: 5 });
  expect(told).toEqual([
    [{ capacity: 2, seed: 5 }],
    [7, 1, 2, 0, undefined, undefined],
    [8, 1, 3, 1, 7, undefined],
    [7, 2],
  ]);
  told.length = 0;
  simulateCache({ ...three, time: Float64Array.of(0.5, 1.5, 9) }, { capacity: 2, policy });
  expect(told.slice(1).map((given) => (given.length === 2 ? given[1] : given[3]))).toEqual([0.5, 1.5, 9]);
});

test("no requests: shares of 0", () => {
  const out = simulateCache(trace([]), { capacity: 1, policy: caching.gdsf() });
  expect(out).toMatchObject({ hitRatio: 0, byteHitRatio: 0, cost: 0, regret: 0 });
});

/** All sets of keys that fit. */
function leastFixed(given: CacheTrace, capacity: number): number {
  const sizes = new Map<number, number>();
  const costs = new Map<number, number>();
  given.key.forEach((q, i) => {
    sizes.set(q, given.size[i]);
    costs.set(q, (costs.get(q) ?? 0) + given.cost[i]);
  });
  const keys = [...sizes.keys()];
  let least = Number.POSITIVE_INFINITY;
  for (let set = 0; set < 2 ** keys.length; set++) {
    const inside = keys.filter((_, b) => (set >> b) & 1);
    if (inside.reduce((sum, q) => sum + sizes.get(q)!, 0) > capacity) continue;
    least = Math.min(
      least,
      keys.reduce((sum, q) => sum + (inside.includes(q) ? 0 : costs.get(q)!), 0),
    );
  }
  return least;
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
  "fixed contents cost what the best of all sets cost, or less; seed %i",
  (seed) => {
    const equal = randomTrace(seed, { requests: 200, keys: 9, sizes: 1, costs: 20 });
    const thirds = { ...equal, size: equal.size.map(() => 1 / 3) };
    const sized = randomTrace(seed, { requests: 200, keys: 9, sizes: 8, costs: 20 });
    for (const capacity of [0.5, 1, 2.5, 4, 9, 100]) {
      expect(fixedCost(equal, capacity)).toBe(leastFixed(equal, capacity));
      expect(fixedCost(thirds, capacity / 3)).toBeCloseTo(leastFixed(equal, capacity), 9);
      expect(fixedCost(sized, capacity)).toBeLessThanOrEqual(leastFixed(sized, capacity) + 1e-9);
    }
  },
);

describe("errors", () => {
  const good = trace([
    [1, 1, 1],
    [2, 1, 1],
  ]);
  const o = { capacity: 1, policy: caching.lru() };
  test.each([
    [{ ...good, size: Float64Array.of(1) }, "trace.size: expected 2 values, as trace.key, got 1."],
    [{ ...good, size: Float64Array.of(1, 0) }, "trace.size[1]: expected finite and > 0, got 0."],
    [{ ...good, cost: Float64Array.of(1, Number.NaN) }, "trace.cost[1]: expected finite and >= 0, got NaN."],
    [{ ...good, key: [1, -2] }, "trace.key[1]: expected an integer from 0 to 2^31 - 1, got -2."],
    [{ ...good, time: Float64Array.of(2, 1) }, "trace.time[1]: expected no earlier than the one before it, 2, got 1."],
    [{ ...good, hitCost: Float64Array.of(2, -1) }, "trace.hitCost[1]: expected finite and >= 0, got -1."],
    [
      { ...good, parent: Int32Array.of(-1, -2) },
      "trace.parent[1]: expected -1, or an integer from 0 to 2^31 - 1, got -2.",
    ],
    [
      { ...good, costs: good.cost },
      'trace: expected only key, size, cost, time, hitCost, smallCost, parent, got "costs".',
    ],
    [undefined, "trace: expected an object, got undefined."],
  ])("trace %#", (given, message) => expect(() => simulateCache(given as CacheTrace, o)).toThrow(message));
  test.each([
    [{ ...o, capacity: -1 }, "capacity: expected a finite number > 0, got -1."],
    [{ ...o, seed: 0.5 }, "seed: expected an integer, got 0.5."],
    [{ ...o, policy: "lru" }, 'policy: expected a policy, { name, create }, got "lru".'],
    [{ ...o, window: 3 }, 'options: expected only capacity, policy, seed, got "window".'],
  ])("options %#", (options, message) => expect(() => simulateCache(good, options as never)).toThrow(message));
});
