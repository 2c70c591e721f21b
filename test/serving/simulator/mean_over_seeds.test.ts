import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";
import { meanOverSeeds } from "../../../src/serving/simulator/mean_over_seeds.ts";

/** Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom, and more, as tables print them. */
const published = [
  ...[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228],
  ...[2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086],
  ...[2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042],
].map((t, i): [number, number] => [i + 1, t]);
const more: [number, number][] = [
  [40, 2.021],
  [60, 2.0],
  [120, 1.98],
  [10_000, 1.96],
];

/** n values whose standard error is 1: then half of the interval is the quantile itself. */
function ofStandardError1(n: number): Float64Array {
  const x = Float64Array.from({ length: n }, (_, i) => i);
  const mean = (n - 1) / 2;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return x.map((value) => value * Math.sqrt(n / variance));
}

test.each([...published, ...more])("%i degrees of freedom: %f", (degrees, t) => {
  expect(Math.abs(meanOverSeeds(ofStandardError1(degrees + 1)).halfWidth - t)).toBeLessThan(0.0005 + 1e-9);
});

test("closed forms: one degree of freedom is Cauchy's distribution, and two have a root", () => {
  expect(meanOverSeeds(ofStandardError1(2)).halfWidth).toBeCloseTo(Math.tan(0.475 * Math.PI), 9);
  expect(meanOverSeeds(ofStandardError1(3)).halfWidth).toBeCloseTo(0.95 * Math.sqrt(2 / (1 - 0.95 ** 2)), 9);
});

describe("by hand", () => {
  test("three values", () => {
    const { mean, halfWidth } = meanOverSeeds([1, 2, 6]);
    expect(mean).toBe(3);
    expect(halfWidth).toBeCloseTo(4.30265 * Math.sqrt(14 / 2 / 3), 4);
  });

  test("differences, pair by pair", () => {
    const paired = meanOverSeeds([101, 202, 303], Int32Array.of(100, 200, 300));
    expect(paired).toEqual(meanOverSeeds([1, 2, 3]));
    expect(paired.halfWidth).toBeLessThan(meanOverSeeds([101, 202, 303]).halfWidth / 10);
  });

  test("one seed has no interval, and what is unknown stays so", () => {
    expect(meanOverSeeds([7])).toEqual({ mean: 7, halfWidth: Number.NaN });
    expect(meanOverSeeds([1, Number.NaN])).toEqual({ mean: Number.NaN, halfWidth: Number.NaN });
  });
});

test("19 of 20 intervals have the true mean in them", () => {
  const random = seeded(1);
  const experiments = 4000;
  let hits = 0;
  for (let k = 0; k < experiments; k++) {
    const { mean, halfWidth } = meanOverSeeds(Array.from({ length: 4 }, () => 5 + random.normal()));
    if (Math.abs(mean - 5) <= halfWidth) hits++;
  }
  expect(Math.abs(hits / experiments - 0.95)).toBeLessThan(4 * Math.sqrt((0.95 * 0.05) / experiments));
});

test("what is no such list is refused", () => {
  expect(() => meanOverSeeds([])).toThrow(new ShapeError("values", "at least 1 value", 0));
  expect(() => meanOverSeeds([1, 2], [1])).toThrow(new ShapeError("against", "2 values, as many as values", 1));
  expect(() => meanOverSeeds(7 as never)).toThrow(ArgumentError);
});
