import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { exponentialGaps, type Gaps, gammaGaps, weibullGaps } from "../../../src/serving/trace/gaps.ts";
import { integral, kolmogorov, momentsOf, RARE } from "./gap_statistics.ts";

const N = 20_000;
const draw = (seed: number, one: (random: Random) => number) => {
  const random = seeded(seed);
  return Float64Array.from({ length: N }, () => one(random));
};

/** A distribution function from any density of which a multiple is known, by numbers; p: for the integral. */
function fromDensity(density: (x: number) => number, p: number): (x: number) => number {
  const END = 80;
  const grid = 4000;
  const parts = [0];
  const at = (i: number) => (i / grid) ** p * END;
  for (let i = 1; i <= grid; i++) {
    parts.push(parts[i - 1] + (i === 1 ? integral(density, at(1), p) : simpson(density, at(i - 1), at(i))));
  }
  return (x) => {
    const i = Math.min(grid - 1, Math.floor((x / END) ** (1 / p) * grid));
    const share = (x - at(i)) / (at(i + 1) - at(i));
    return Math.min(1, (parts[i] + share * (parts[i + 1] - parts[i])) / parts[grid]);
  };
}

const simpson = (f: (x: number) => number, a: number, b: number) => ((b - a) / 6) * (f(a) + 4 * f((a + b) / 2) + f(b));

/** Gamma(1 + 1/k) by its integral. */
const gammaAt = (x: number) => integral((t) => t ** (x - 1) * Math.exp(-t), 60, 4);

interface Case {
  name: string;
  gaps: Gaps;
  /** P(gap <= x) */
  F: (x: number) => number;
  cv: number;
}

const cases: Case[] = [
  { name: "exponential", gaps: exponentialGaps, F: (x) => 1 - Math.exp(-x), cv: 1 },
  ...[0.3, 0.7, 1, 2.5, 30].map((shape) => ({
    name: `Gamma ${shape}`,
    gaps: gammaGaps(shape),
    F: fromDensity((x) => x ** (shape - 1) * Math.exp(shape * (1 - x)), shape < 1 ? 6 : 3),
    cv: shape ** -0.5,
  })),
  ...[0.4, 0.8, 1, 2.5].map((shape) => {
    const mean = gammaAt(1 + 1 / shape);
    return {
      name: `Weibull ${shape}`,
      gaps: weibullGaps(shape),
      F: (x: number) => 1 - Math.exp(-((mean * x) ** shape)),
      cv: Math.sqrt(gammaAt(1 + 2 / shape) / mean ** 2 - 1),
    };
  }),
];

describe.each(cases)("$name gaps", ({ gaps, F, cv }) => {
  test("are of their distribution, of mean 1", () => {
    const values = draw(1, (random) => gaps.next(random));
    expect(kolmogorov(values, F)).toBeLessThan(RARE);
    expect(Math.abs(momentsOf(values).mean - 1)).toBeLessThan((5 * cv) / Math.sqrt(N));
  });

  test("seen from any moment are of the distribution (1 - F), of mean (1 + cv^2) / 2", () => {
    const values = draw(2, (random) => gaps.residual(random));
    expect(
      kolmogorov(
        values,
        fromDensity((x) => 1 - F(x), 3),
      ),
    ).toBeLessThan(RARE);
    const { mean, cv: spread } = momentsOf(values);
    expect(Math.abs(mean - (1 + cv ** 2) / 2)).toBeLessThan((5 * spread * mean) / Math.sqrt(N));
  });
});

test("other shapes are not taken for them", () => {
  const values = draw(1, (random) => gammaGaps(0.9).next(random));
  expect(kolmogorov(values, (x) => 1 - Math.exp(-x))).toBeGreaterThan(RARE);
  const residual = draw(2, (random) => gammaGaps(2.5).next(random));
  expect(
    kolmogorov(
      residual,
      fromDensity((x) => 1 - cases[4].F(x), 3),
    ),
  ).toBeGreaterThan(RARE);
});

test("the mean of Weibull's gaps is 1 for shapes of which Gamma(1 + 1/shape) is a factorial", () => {
  // (-ln u)^power / mean: with u one known number, what it is divided by shows.
  const one: Random = { ...seeded(1), next: () => 0.5 };
  for (const [power, factorial] of [
    [1, 1],
    [2, 2],
    [3, 6],
    [5, 120],
    [10, 3_628_800],
  ]) {
    const mean = Math.log(2) ** power / weibullGaps(1 / power).next(one);
    expect(Math.abs(mean / factorial - 1)).toBeLessThan(7e-12); // of Stirling's series
  }
});

test("the burstiest gaps are finite, and most of them nothing", () => {
  const gaps = gammaGaps(1e-6);
  const values = draw(3, (random) => gaps.next(random));
  expect(values.every((value) => value >= 0 && value < Infinity)).toBe(true);
  expect(values.filter((value) => value < 1e-9).length).toBeGreaterThan(0.99 * N);
});
