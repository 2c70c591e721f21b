import { expect, test } from "vitest";
import { cdfOf, latencyCdfs } from "../../../src/cli/reports/latency_cdf.ts";
import { seeded } from "../../../src/common/random.ts";
import type { Simulated } from "../../../src/serving/simulator/simulated.ts";

test("at each point so many values are at most that, and no fewer would do", () => {
  const random = seeded(1);
  for (const n of [1, 2, 7, 200, 5000]) {
    const values = Array.from({ length: n }, () => random.below(1000) / 7);
    const cdf = cdfOf(values);
    expect(cdf.length).toBeLessThan(250);
    expect(cdf.at(-1)).toEqual([Math.max(...values), 1]);
    for (const [value, share] of cdf) {
      expect(values.filter((one) => one <= value).length).toBeGreaterThanOrEqual(share * n);
      expect(values.filter((one) => one < value).length).toBeLessThan(Math.max(share * n, 1));
    }
    expect(cdf).toEqual(cdf.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
  }
  expect(cdfOf([])).toEqual([]);
});

const trace = {
  requests: 4,
  arrival: Float64Array.of(0, 1, 2, 3),
  input: Int32Array.of(1, 1, 1, 1),
  output: Int32Array.of(3, 1, 5, 2),
};
/** The second is served with one token, the third rejected, the first before the warm-up ends. */
const result = {
  arrival: trace.arrival,
  firstToken: Float64Array.of(1, 4, -1, 5),
  finish: Float64Array.of(5, 4, -1, 9),
} as Simulated;
const valuesOf = (cdf: readonly (readonly [number, number])[]) => [...new Set(cdf.map(([value]) => value))];

test("of requests that were served and came after the warm-up", () => {
  const all = latencyCdfs(trace, result, 0);
  expect(valuesOf(all.ttft)).toEqual([1, 2, 3]);
  expect(valuesOf(all.tpot)).toEqual([2, 4]);
  expect(valuesOf(all.latency)).toEqual([3, 5, 6]);
  const late = latencyCdfs(trace, result, 1);
  expect(valuesOf(late.ttft)).toEqual([2, 3]);
  expect(valuesOf(late.tpot)).toEqual([4]);
});
