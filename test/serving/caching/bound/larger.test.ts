/** Bounds of traces too long for all ways to keep objects: against HiGHS, against each other, and on recorded traces. */
import loadHighs from "highs";
import { describe, expect, test } from "vitest";
import { belady } from "../../../../src/serving/caching/bound/belady.ts";
import { cacheBound, cacheBoundSteps } from "../../../../src/serving/caching/bound/cache_bound.ts";
import { certifyCacheBound, provenCost } from "../../../../src/serving/caching/bound/certify_cache_bound.ts";
import { gapPrices } from "../../../../src/serving/caching/bound/gap_prices.ts";
import { planCost } from "../../../../src/serving/caching/bound/plan_cost.ts";
import { type Reuses, reusesOf } from "../../../../src/serving/caching/bound/reuses.ts";
import type { CacheTrace } from "../../../../src/serving/caching/cache_trace.ts";
import { caching } from "../../../../src/serving/caching/caching.ts";
import { simulateCache } from "../../../../src/serving/caching/simulate_cache.ts";
import { prefixCacheTrace } from "../../../../src/serving/caching/trace/prefix_cache_trace.ts";
import { readCacheTrace } from "../../../../src/serving/caching/trace/read_cache_trace.ts";
import { readTrace } from "../../../../src/serving/trace/read_trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../../helpers/recorded.ts";
import { randomTrace } from "../traces.ts";

const highs = await loadHighs();

/** The flow as a linear program: a row per gap. */
function highsCost(trace: CacheTrace, capacity: number): number {
  const { first, last, size, cost } = reusesOf(trace, trace.cost, capacity);
  const all = trace.cost.reduce((a, b) => a + b, 0);
  if (size.length === 0) return all;
  const rows = Array.from(trace.key, (_, t) => {
    const terms = Array.from(first, (from, j) => (from <= t && t < last[j] ? `+ ${size[j]} x${j}` : "")).filter(
      Boolean,
    );
    return terms.length > 0 ? ` g${t}: ${terms.join(" ")} <= ${capacity}` : "";
  }).filter(Boolean);
  const objective = Array.from(cost, (c, j) => `+ ${c} x${j}`).join(" ");
  const bounds = Array.from(cost, (_, j) => ` 0 <= x${j} <= 1`).join("\n");
  const text = `Maximize\n obj: ${objective}\nSubject To\n${rows.join("\n")}\nBounds\n${bounds}\nEnd\n`;
  const { Status, ObjectiveValue } = highs.solve(text);
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  return all - ObjectiveValue;
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "the flow is HiGHS's linear program, rounded up to what whole costs can be; seed %i",
  (seed) => {
    for (const [sizes, costs, capacity] of [
      [9, 20, 60],
      [9, 1, 30],
      [1, 20, 6],
      [30, 50, 40],
    ]) {
      const trace = randomTrace(seed, { requests: 300, keys: 40, sizes, costs });
      const { cost, exact } = cacheBound(trace, { capacity });
      const relaxed = highsCost(trace, capacity);
      expect(cost).toBeGreaterThanOrEqual(relaxed - 1e-6);
      expect(cost).toBeLessThan(relaxed + 1); // costs are whole, and so is what all ways cost
      if (sizes === 1) expect(exact).toBe(true);
      for (const window of [20, 100]) expect(cacheBound(trace, { capacity, window }).cost).toBeLessThanOrEqual(cost);
    }
  },
);

const last = <T>(steps: Generator<number, T>): T => {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
};

describe("windows", () => {
  const trace = randomTrace(31, { requests: 10_000, keys: 2000, sizes: 300, costs: 10 });
  const capacity = 3000;
  const whole = cacheBound(trace, { capacity }).cost;
  const none = certifyCacheBound(trace, { capacity }, new Float64Array(10_000)).cost;

  test.each([
    [200, 0.95],
    [1000, 0.99],
    [4000, 0.999],
  ])("of %i requests prove %f of what the whole proves, and no more than it", (window, share) => {
    const { cost, prices } = cacheBound(trace, { capacity, window });
    expect(certifyCacheBound(trace, { capacity }, prices)).toEqual({ cost, valid: true });
    expect(cost).toBeLessThanOrEqual(whole);
    expect(cost - none).toBeGreaterThan(share * (whole - none));
  });

  test("that know nothing of each other prove less", () => {
    const apart = new Float64Array(10_000);
    for (let from = 0; from < 10_000; from += 500) {
      const part = (values: Float64Array) => values.slice(from, from + 500);
      const own = { key: trace.key.slice(from, from + 500), size: part(trace.size), cost: part(trace.cost) };
      apart.set(cacheBound(own, { capacity }).prices, from);
    }
    const { cost, valid } = certifyCacheBound(trace, { capacity }, apart);
    expect(valid).toBe(true);
    expect(cacheBound(trace, { capacity, window: 500 }).cost).toBeGreaterThan(cost);
  });

  test.each([undefined, 500])("tell the share that is done, in order; window %s", (window) => {
    const shares: number[] = [];
    const steps = cacheBoundSteps(trace, { capacity, window });
    let step = steps.next();
    for (; !step.done; step = steps.next()) shares.push(step.value);
    expect(step.value).toEqual(cacheBound(trace, { capacity, window }));
    expect(shares.length).toBeGreaterThan(5);
    expect(shares).toEqual(shares.toSorted((x, y) => x - y));
    expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
  });
});

describe("Belady's rule and its prices", () => {
  const unitTrace = (seed: number, requests: number) => randomTrace(seed, { requests, keys: 60, sizes: 1, costs: 1 });

  test.each([1, 2, 3, 4, 5, 6])("prove each other, and are the flow's; seed %i", (seed) => {
    const trace = unitTrace(seed, 3000);
    for (const room of [1, 2, 7, 25, 59, 80]) {
      const reuses: Reuses = reusesOf(trace, trace.cost, room);
      const { prices, kept } = belady(reuses, 3000, room, 1);
      const proven = provenCost(trace.cost, reuses, room, prices);
      expect(planCost(trace.cost, reuses, room, kept)).toBe(proven);
      expect(provenCost(trace.cost, reuses, room, last(gapPrices(reuses, 3000, room)).prices)).toBe(proven);
      expect(prices.every((price) => price === 0 || price === 1)).toBe(true);
    }
  });

  test("what keeps too much is no plan", () => {
    const trace = unitTrace(1, 300);
    const reuses = reusesOf(trace, trace.cost, 5);
    expect(planCost(trace.cost, reuses, 5, new Uint8Array(reuses.cost.length).fill(1))).toBe(undefined);
  });
});

describe.skipIf(!recordedDataPresent)(`recorded traces ${needsRecordedData}`, () => {
  const files = {
    adaptsize: "cache/adaptsize_request_trace.txt.gz",
    gcc: "cache/gcc_penalties_trace.txt.gz",
    webcachesim: "cache/webcachesim_test.tr",
  };
  test.each([
    ["adaptsize", 3_042_135, 41_950, false],
    ["gcc", 1753, 2_717_790, true],
    ["gcc", 100, 3_283_460, true],
    ["webcachesim", 86, 3922, false],
  ] as const)("%s, capacity %i: no policy is below %i", async (name, capacity, cost, exact) => {
    const trace = await readCacheTrace(recordedBytes(files[name]));
    const bound = cacheBound(trace, { capacity });
    expect(bound).toMatchObject({ cost, exact });
    expect(certifyCacheBound(trace, { capacity }, bound.prices)).toEqual({ cost, valid: true });
    const windows = cacheBound(trace, { capacity, window: 8192 }).cost;
    expect(windows).toBeLessThanOrEqual(cost);
    expect(windows).toBeGreaterThan(0.99 * cost);
    const paid = (policy = caching.lru()) => simulateCache(trace, { capacity, policy }).cost;
    for (const policy of [caching.fifo(), caching.s3fifo(), caching.lfu()]) expect(paid(policy)).toBeGreaterThan(cost);
    // Who knows costs and sizes does better on all of these.
    expect(paid(caching.gdsf())).toBeLessThan(paid());
    expect(paid(caching.lec())).toBeLessThan(paid());
    expect(paid(caching.lec())).toBeGreaterThan(cost);
  });

  test("Mooncake's prefixes: Belady's optimum", async () => {
    const trace = prefixCacheTrace(await readTrace(recordedBytes("requests/mooncake_fast25_conversation.jsonl.gz")));
    const capacity = 935_884;
    const { cost, exact } = cacheBound(trace, { capacity });
    expect({ cost, exact }).toEqual({ cost: 111_320_064, exact: true });
    for (const policy of [caching.lru(), caching.s3fifo(), caching.lec()])
      expect(simulateCache(trace, { capacity, policy }).cost).toBeGreaterThan(cost);
  });
});
