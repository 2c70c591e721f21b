/** The bound of hindsight against HiGHS, and what proves it against what it says. */
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";
import { type AdmissionBound, admissionBound } from "../../../src/serving/admission/admission_bound.ts";
import { invert } from "../../../src/serving/admission/inverse.ts";
import { weightedSelect } from "../../../src/serving/admission/weighted_select.ts";
import { badArrays, badElements, errorOf, expectError, missing, noNumbers } from "../../helpers/bad_input.ts";
import { highsOptimum, type Instance, kinds, randomInstance } from "./admission_highs.ts";

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

/** What any prices prove; nothing where they prove nothing. */
function proven({ values, use, budget }: Instance, price: ArrayLike<number>): number {
  if (Array.from(price).some((p) => !(p >= 0))) return Number.NaN;
  const m = budget.length;
  const margins = values.map((r, j) => Math.max(0, r - sum(budget.map((_, i) => use[j * m + i] * price[i]))));
  return sum(budget.map((b, i) => b * price[i])) + sum(margins);
}

/** Whether the choice is one, and worth what it says. */
function expectFeasible({ values, use, budget }: Instance, { accepted, value }: AdmissionBound, name: string): void {
  const m = budget.length;
  for (const x of accepted) expect(x >= 0 && x <= 1, name).toBe(true);
  for (const [i, b] of budget.entries()) {
    const uses = values.map((_, j) => use[j * m + i]);
    const used = sum(uses.map((a, j) => a * accepted[j]));
    expect(used - b, name).toBeLessThanOrEqual(1e-9 * Math.max(b, ...uses));
  }
  expect(accepted.filter((x) => x > 0 && x < 1).length, name).toBeLessThanOrEqual(m);
  expect(Math.abs(sum(values.map((r, j) => r * accepted[j])) - value), name).toBeLessThanOrEqual(1e-12 * sum(values));
}

describe("the bound", () => {
  test("is the LP's optimum, to 1e-6 of HiGHS's, of 2,000 instances", () => {
    const met = Object.fromEntries([...kinds, "nothing fits", "all fits"].map((name) => [name, 0]));
    for (let seed = 0; seed < 2000; seed++) {
      const instance = randomInstance(seed);
      const { values, use, budget } = instance;
      const found = admissionBound(values, use, budget);
      const optimum = highsOptimum(instance);
      expect(Math.abs(found.bound - optimum), `seed ${seed}`).toBeLessThanOrEqual(
        1e-6 * Math.max(optimum, 1e-6 * sum(values)),
      );
      met[instance.kind]++;
      if (optimum === 0 && sum(values) > 0) met["nothing fits"]++;
      if (optimum === sum(values)) met["all fits"]++;
    }
    for (const [name, count] of Object.entries(met)) expect(count, name).toBeGreaterThan(100);
  });

  test("is proven by its prices and reached by its choice, in 4,000 instances", () => {
    for (let seed = 10_000; seed < 14_000; seed++) {
      const instance = randomInstance(seed);
      const { values, use, budget } = instance;
      const found = admissionBound(values, use, budget);
      const name = `seed ${seed}`;
      const most = sum(values);
      expect(Math.abs(found.bound - proven(instance, found.price)), name).toBeLessThanOrEqual(1e-12 * most);
      expect(Math.abs(found.bound - found.value), name).toBeLessThanOrEqual(1e-9 * most);
      expectFeasible(instance, found, name);
    }
  });

  test("is no more than any other prices prove", () => {
    for (let seed = 0; seed < 300; seed++) {
      const instance = randomInstance(seed);
      const { bound, price } = admissionBound(instance.values, instance.use, instance.budget);
      const random = seeded(seed);
      const others = price.map((p) => Math.max(0, p * (1 + random.normal() / 10) + random.normal() / 100));
      expect(proven(instance, others), `seed ${seed}`).toBeGreaterThanOrEqual(bound - 1e-12 * sum(instance.values));
    }
  });

  test.each([
    [4000, 4, 0.25],
    [2000, 30, 0.25],
    [500, 60, 0.1],
    [20_000, 2, 0.01],
  ])("closes with %i requests and %i budgets, %f of what all use", (n, m, share) => {
    const random = seeded(n);
    const values = Float64Array.from({ length: n }, () => random.next());
    const use = Float64Array.from({ length: n * m }, () => random.next());
    const { bound, value } = admissionBound(values, use, new Float64Array(m).fill((share * n) / 2));
    expect(Math.abs(bound / value - 1)).toBeLessThan(1e-9);
  });

  test("knows the knapsack: the best value per use first", () => {
    const { bound, value, price, accepted } = admissionBound([6, 10, 12], [[1], [2], [3]], [5]);
    expect([bound, value, ...price]).toEqual([24, 24, 4]);
    expect([...accepted.slice(0, 2)]).toEqual([1, 1]);
    expect(accepted[2]).toBeCloseTo(2 / 3, 15);
  });

  test("of requests of no or negative value, or of none at all, is 0", () => {
    expect(admissionBound([0, -3], [[0], [1]], [1])).toMatchObject({ bound: 0, value: 0 });
    expect(admissionBound([], [], [1, 2])).toMatchObject({ bound: 0, value: 0, price: new Float64Array(2) });
  });

  test("does not depend on the units of values, uses and budgets", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { values, use, budget } = randomInstance(seed);
      const one = admissionBound(values, use, budget);
      const other = admissionBound(
        values.map((r) => r * 2 ** 60),
        use.map((a) => a / 2 ** 40),
        budget.map((b) => b / 2 ** 40),
      );
      expect(other.bound, `seed ${seed}`).toBe(one.bound * 2 ** 60);
    }
  });
});

describe("what is no instance", () => {
  const good: Record<string, unknown> = { values: [1, 2], use: [1, 1, 1, 1], budget: [1, 1] };
  const run = (part: Record<string, unknown>) => {
    const { values, use, budget } = { ...good, ...part } as never;
    return errorOf(() => admissionBound(values, use, budget));
  };
  const negative = ["-1", -1] as [string, unknown];
  test.each([
    ...badArrays("values"),
    ...badArrays("use"),
    ...badArrays("budget"),
    ...badElements(
      "values",
      2,
      "a finite number",
      ArgumentError,
      noNumbers.filter(([shown]) => !shown.startsWith("A")),
    ),
    ...badElements("budget", 2, "finite and >= 0", ArgumentError, [...noNumbers, negative, missing]),
    ...badElements("use", 4, "finite and >= 0", ArgumentError, [...noNumbers, negative]),
    ["use: expected n * m = 2 * 2 = 4 values, got 3.", ShapeError, { use: [1, 1, 1] }],
    ["use[1]: expected m = 2 values, got 1.", ShapeError, { use: [[1, 1], [1]] }],
    [
      "use[1][0]: expected finite and >= 0, got -1.",
      ArgumentError,
      {
        use: [
          [1, 1],
          [-1, 1],
        ],
      },
    ],
    ["budget: expected at least 1 budget, got 0.", ShapeError, { budget: [] }],
    ["values: expected a finite sum, got Infinity.", ArgumentError, { values: [1e308, 1e308] }],
    ["use: expected a finite sum for budget 1, got Infinity.", ArgumentError, { use: [1, 1e308, 1, 1e308] }],
  ] as [string, typeof ArgumentError, Record<string, unknown>][])("%s", (message, kind, part) => {
    expectError(run(part), message, kind);
  });
});

describe("its parts", () => {
  test("the weighted choice is that of sorting", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seeded(seed);
      const n = 1 + random.below(30);
      const keys = Float64Array.from({ length: n }, () => random.below(10));
      const weights = Float64Array.from({ length: n }, () => 1 + random.below(9));
      const need = 1 + random.below(sum(weights) + 5);
      const found = weightedSelect(
        Int32Array.from({ length: n }, (_, i) => i),
        keys,
        weights,
        need,
      );
      const upTo = (key: number, inclusive: boolean) =>
        sum(weights.filter((_, i) => keys[i] < key || (inclusive && keys[i] === key)));
      const expected =
        [...new Set(keys)].sort((a, b) => a - b).find((key) => upTo(key, true) >= need) ?? Math.max(...keys);
      expect(keys[found], `seed ${seed}`).toBe(expected);
      expect(weights[found], `seed ${seed}`).toBe(Math.max(...weights.filter((_, i) => keys[i] === expected)));
    }
    expect(weightedSelect(new Int32Array(0), new Float64Array(0), new Float64Array(0), 1)).toBe(-1);
  });

  test("the inverse is one, and of a singular matrix there is none", () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = seeded(seed);
      const m = 1 + random.below(8);
      const matrix = Float64Array.from({ length: m * m }, () => random.next() - 0.5);
      const inverse = new Float64Array(m * m);
      expect(invert(matrix.slice(), inverse, m)).toBe(true);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < m; j++) {
          let product = 0;
          for (let k = 0; k < m; k++) product += matrix[i * m + k] * inverse[k * m + j];
          expect(product, `seed ${seed}`).toBeCloseTo(i === j ? 1 : 0, 8);
        }
      }
    }
    expect(invert(Float64Array.of(1, 2, 2, 4), new Float64Array(4), 2)).toBe(false);
  });
});
