/** Bid prices: the figures of the field's standard experiment, the rule itself, units, and requests of a trace. */
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { admissionBound } from "../../../src/serving/admission/admission_bound.ts";
import { admissionUse } from "../../../src/serving/admission/admission_use.ts";
import { type BidPriceOptions, bidPrices } from "../../../src/serving/admission/bid_prices.ts";
import { generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { errorOf, expectError } from "../../helpers/bad_input.ts";

const RUNS = 100;

interface Requests {
  values: Float64Array;
  use: Float64Array;
  budget: Float64Array;
}

/** m = 4, a, r ~ U(0, 1), b = n / 4. */
function standard(n: number, { next }: Random, m = 4): Requests {
  return {
    use: Float64Array.from({ length: n * m }, next),
    values: Float64Array.from({ length: n }, next),
    budget: new Float64Array(m).fill(n / 4),
  };
}

function play({ values, use, budget }: Requests, options: Partial<BidPriceOptions>) {
  const m = budget.length;
  const prices = bidPrices({ budget, requests: values.length, ...options });
  const accepted = Array.from(values, (r, j) => prices.decide(r, use.subarray(j * m, j * m + m)));
  const value = values.reduce((sum, r, j) => sum + (accepted[j] ? r : 0), 0);
  return { accepted, value, left: prices.left, price: prices.price };
}

const plain = { scale: { value: 1, use: [1, 1, 1, 1] } } as const;

/** Means over the runs: violation / sqrt(n), regret / sqrt(n) with soft budgets, and the share of the bound that hard ones miss, in %. */
function experiment(n: number, options: Partial<BidPriceOptions>) {
  const root = Math.sqrt(n);
  const mean = { violation: 0, regret: 0, gap: 0 };
  for (let run = 1; run <= RUNS; run++) {
    const requests = standard(n, seeded(run));
    const { bound } = admissionBound(requests.values, requests.use, requests.budget);
    const soft = play(requests, { ...options, capacity: "soft" });
    const hard = play(requests, options);
    // The 2-norm of what is above the budgets is the figure that stays 0.47; the largest is 0.34 to 0.29, the sum 0.82 to 0.92.
    mean.violation += Math.hypot(...soft.left.map((left) => Math.max(0, -left))) / root / RUNS;
    mean.regret += (bound - soft.value) / root / RUNS;
    mean.gap += (100 * (1 - hard.value / bound)) / RUNS;
    for (const left of hard.left) expect(left).toBeGreaterThanOrEqual(0);
  }
  return mean;
}

describe("the gradient's figures, 100 runs, m = 4, a, r ~ U(0, 1), b = n / 4", () => {
  test.each([
    [250, 5.8, 0.5],
    [1000, 2.9, 0.3],
    [4000, 1.5, 0.3],
  ])(
    "n = %i: violation 0.47 sqrt(n), regret -0.1 sqrt(n), with hard budgets a gap of %f percent, to %f",
    (n, percent, within) => {
      const { violation, regret, gap } = experiment(n, plain);
      console.log(`n = ${n}: violation ${violation.toFixed(3)}, regret ${regret.toFixed(3)}, gap ${gap.toFixed(2)} %`);
      expect(Math.abs(violation - 0.47)).toBeLessThan(0.05);
      expect(Math.abs(regret + 0.1)).toBeLessThan(0.05);
      expect(Math.abs(gap - percent)).toBeLessThan(within);
    },
  );

  test("half the violation, and no larger gap, where the scale is measured: means of 1/2, so that steps are twice as long", () => {
    const { violation, regret, gap } = experiment(1000, {});
    console.log(
      `measured scale: violation ${violation.toFixed(3)}, regret ${regret.toFixed(3)}, gap ${gap.toFixed(2)} %`,
    );
    expect(violation).toBeLessThan(0.3);
    expect(Math.abs(regret - 0.1)).toBeLessThan(0.05);
    expect(gap).toBeLessThan(3);
  });
});

describe("the gradient", () => {
  test("is the paper's step, decision by decision", () => {
    const n = 500;
    const { values, use, budget } = standard(n, seeded(1));
    const prices = bidPrices({ budget, requests: n, ...plain });
    const left = budget.slice();
    let p = [0, 0, 0, 0];
    let refused = 0;
    for (let j = 0; j < n; j++) {
      const a = [...use.subarray(4 * j, 4 * j + 4)];
      const wanted = values[j] > a.reduce((sum, x, i) => sum + x * p[i], 0);
      const fits = a.every((x, i) => x <= left[i]);
      expect(prices.decide(values[j], a), `request ${j}`).toBe(wanted && fits);
      if (wanted && fits) for (let i = 0; i < 4; i++) left[i] -= a[i];
      if (wanted && !fits) refused++;
      p = p.map((x, i) => Math.max(0, x + ((wanted ? a[i] : 0) - budget[i] / n) / Math.sqrt(n)));
      expect([...prices.left]).toEqual([...left]);
      for (let i = 0; i < 4; i++) expect(prices.price[i]).toBeCloseTo(p[i], 12);
    }
    expect(refused).toBeGreaterThan(0);
  });

  test("decides alike in any units, where no scale is told", () => {
    const { values, use, budget } = standard(1000, seeded(2));
    const units = [2 ** 20, 2 ** -30, 1, 2 ** 50];
    const other = {
      values: values.map((r) => r * 2 ** 12),
      use: use.map((a, at) => a * units[at % 4]),
      budget: budget.map((b, i) => b * units[i]),
    };
    expect(play(other, {}).accepted).toEqual(play({ values, use, budget }, {}).accepted);
    // The plain step, in units in which uses are thousands, is none.
    const thousands = { values, use: use.map((a) => 1000 * a), budget: budget.map((b) => 1000 * b) };
    const { bound } = admissionBound(thousands.values, thousands.use, thousands.budget);
    expect(play(thousands, {}).value / bound).toBeGreaterThan(0.95);
    expect(play(thousands, plain).value / bound).toBeLessThan(0.85);
  });

  test("passes over budgets that nobody uses, and takes what uses none", () => {
    const prices = bidPrices({ budget: [1, 1], requests: 2 });
    expect([prices.decide(1, [1, 0]), prices.decide(1, [1, 0])]).toEqual([true, false]);
    expect([...prices.left]).toEqual([0, 1]);
    expect(prices.price[1]).toBe(0);
    expect(prices.decide(1e-9, [0, 0])).toBe(true);
    expect(prices.decide(0, [0, 0])).toBe(false);
  });

  test("goes on after n", () => {
    const prices = bidPrices({ budget: [2], requests: 1, ...{ scale: { value: 1, use: [1] } } });
    expect([1, 2, 3].map((value) => prices.decide(value, [0.5]))).toEqual([true, true, true]);
    expect(prices.left[0]).toBe(0.5);
  });
});

describe("resolving", () => {
  test("refuses the first n eps, and has the LP's prices at n eps 2^k", () => {
    const n = 800;
    const epsilon = 1 / 16;
    const { values, use, budget } = standard(n, seeded(3), 2);
    const prices = bidPrices({ budget, requests: n, method: "resolve", epsilon });
    const changes: number[] = [];
    let before = [...prices.price];
    expect(before).toEqual([Infinity, Infinity]);
    for (let j = 0; j < n; j++) {
      const a = use.subarray(2 * j, 2 * j + 2);
      const wanted = values[j] > a[0] * before[0] + a[1] * before[1];
      expect(prices.decide(values[j], a), `request ${j}`).toBe(wanted && j >= n * epsilon);
      const l = j + 1;
      if (prices.price.some((p, i) => p !== before[i])) {
        changes.push(l);
        const part = (1 - epsilon * Math.sqrt(n / l)) * (l / n);
        const { price } = admissionBound(
          values.slice(0, l),
          use.slice(0, 2 * l),
          budget.map((b) => part * b),
        );
        for (const i of [0, 1]) expect(prices.price[i]).toBeCloseTo(price[i], 12);
      }
      before = [...prices.price];
    }
    expect(changes).toEqual([50, 100, 200, 400]);
  });

  test("is within the budgets, and within 6 % of the bound at n = 4,000", () => {
    let gap = 0;
    for (let run = 0; run < 10; run++) {
      const requests = standard(4000, seeded(run));
      const { bound } = admissionBound(requests.values, requests.use, requests.budget);
      const { value, left } = play(requests, { method: "resolve" });
      gap += (1 - value / bound) / 10;
      expect(Math.min(...left)).toBeGreaterThanOrEqual(0);
    }
    expect(gap).toBeLessThan(0.06);
  });
});

describe("requests of a trace", () => {
  const random = seeded(5);
  const lengths = {
    input: Array.from({ length: 500 }, () => Math.ceil(Math.exp(5 + random.normal()))),
    output: Array.from({ length: 500 }, () => Math.ceil(Math.exp(4 + 1.2 * random.normal()))),
  };
  const trace = generateTrace({ requests: 4000, seed: 1, rate: 8, lengths });
  trace.value = Float64Array.from({ length: 4000 }, () => 10 * random.next() ** 2);

  test("use token-steps, one request, and tokens", () => {
    const limits = { span: 500, kvTokens: 16_000, workers: 2, secondsPerStep: 0.02, requestRate: 4, tokenRate: 1000 };
    const { use, budget } = admissionUse(trace, limits);
    expect([...budget]).toEqual([8e8, 2000, 500_000]);
    for (let j = 0; j < 4000; j += 97) {
      const [s, o] = [trace.input[j], trace.output[j]];
      let held = 0;
      for (let t = 1; t <= o; t++) held += s + t;
      expect([...use.subarray(3 * j, 3 * j + 3)]).toEqual([held, 1, s + o]);
    }
    expect(admissionUse(trace, { span: 500, tokenRate: 1000 }).use).toEqual(use.filter((_, at) => at % 3 === 2));
  });

  test.each(["gradient", "resolve"] as const)(
    "are admitted under memory and a rate, by %s, near the bound",
    (method) => {
      const { use, budget } = admissionUse(trace, { span: 500, kvTokens: 80_000, requestRate: 4 });
      const requests = { values: trace.value!, use, budget };
      const { bound, price } = admissionBound(trace.value!, use, budget);
      const { value, left } = play(requests, { method });
      const share = (100 * value) / bound;
      console.log(
        `${method}: ${share.toFixed(1)} % of the bound; left ${[...left].map((x, i) => (x / budget[i]).toFixed(3))}`,
      );
      expect(Math.min(...price), "both budgets bind").toBeGreaterThan(0);
      expect(Math.min(...left)).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(bound);
      expect(share).toBeGreaterThan(method === "gradient" ? 90 : 94);
      const first = trace.value!.reduce(
        (sum, r, j) => {
          const a = use.subarray(2 * j, 2 * j + 2);
          if (a.some((x, i) => x > sum.left[i])) return sum;
          return { value: sum.value + r, left: sum.left.map((x, i) => x - a[i]) };
        },
        { value: 0, left: [...budget] },
      );
      expect(value, "more than whoever comes first").toBeGreaterThan(1.3 * first.value);
    },
  );

  const bad: [string, Record<string, unknown>][] = [
    ["span: expected finite and > 0, got undefined.", { tokenRate: 1 }],
    ["span: expected finite and > 0, got 0.", { span: 0, tokenRate: 1 }],
    ["kvTokens: expected finite and > 0, got NaN.", { span: 1, kvTokens: Number.NaN }],
    ["workers: expected finite and > 0, got -1.", { span: 1, kvTokens: 1, workers: -1 }],
    ["limits: expected kvTokens, requestRate or tokenRate, got an object of Object.", { span: 1, workers: 2 }],
  ];
  test.each(bad)("%s", (message, limits) => {
    expectError(
      errorOf(() => admissionUse(trace, limits as never)),
      message,
      ArgumentError,
    );
  });
});

describe("what is refused", () => {
  const good = { budget: [1, 1], requests: 10 };
  const options: [string, Record<string, unknown>, typeof ArgumentError?][] = [
    ["budget: expected at least 1 budget, got 0.", { budget: [] }, ShapeError],
    ["budget[1]: expected finite and > 0, got 0.", { budget: [1, 0] }],
    ["budget[0]: expected finite and > 0, got Infinity.", { budget: [Infinity] }],
    ["budget: expected an array or TypedArray of numbers, got undefined.", { budget: undefined }],
    ["requests: expected an integer from 1 to 2^31 - 1, got 0.", { requests: 0 }],
    ["requests: expected an integer from 1 to 2^31 - 1, got 1.5.", { requests: 1.5 }],
    ['method: expected "gradient" or "resolve", got "best".', { method: "best" }],
    ['capacity: expected "hard" or "soft", got null.', { capacity: null }],
    ['epsilon: expected undefined with method "gradient", got 0.1.', { epsilon: 0.1 }],
    ["epsilon: expected a number between 0 and 1, got 1.", { method: "resolve", epsilon: 1 }],
    ['scale: expected undefined with method "resolve", got an object of Object.', { method: "resolve", scale: {} }],
    ["scale.value: expected finite and > 0, got 0.", { scale: { value: 0, use: [1, 1] } }],
    ["scale.use: expected m = 2 values, got 1.", { scale: { value: 1, use: [1] } }, ShapeError],
    ["scale.use[1]: expected finite and > 0, got NaN.", { scale: { value: 1, use: [1, Number.NaN] } }],
  ];
  test.each(options)("%s", (message, part, kind = ArgumentError) => {
    expectError(
      errorOf(() => bidPrices({ ...good, ...part } as never)),
      message,
      kind,
    );
  });

  const requests: [string, unknown, unknown, typeof ArgumentError?][] = [
    ["value: expected a finite number, got NaN.", Number.NaN, [1, 1]],
    ["use: expected m = 2 values, got 3.", 1, [1, 1, 1], ShapeError],
    ["use[1]: expected finite and >= 0, got -1.", 1, [1, -1]],
    ["use: expected an array or TypedArray of numbers, got 1.", 1, 1],
  ];
  test.each(requests)("%s", (message, value, use, kind = ArgumentError) => {
    const prices = bidPrices(good);
    expectError(
      errorOf(() => prices.decide(value as never, use as never)),
      message,
      kind,
    );
    expect([...prices.left, ...prices.price], "nothing changed").toEqual([1, 1, 0, 0]);
  });

  test("a misspelt option", () => {
    expect(() => bidPrices({ ...good, capasity: "soft" } as never)).toThrow("Did you mean capacity?");
  });
});
