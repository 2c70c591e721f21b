import { describe, expect, test } from "vitest";
import { Pauses } from "../../../src/common/pauses.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import {
  SharedSteps,
  type StepPool,
  type StepPrices,
  type StepRequests,
} from "../../../src/serving/bound/shared_steps.ts";
import { searchStepPrices, stepBound } from "../../../src/serving/bound/step_prices.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { StepTime } from "../../../src/serving/step_time.ts";

const row = (...values: number[]) => Float64Array.from(values);
const requestsOf = (
  rows: readonly [arrival: number, input: number, output: number, prefill?: number][],
): StepRequests => ({
  requests: rows.length,
  arrival: Float64Array.from(rows, ([a]) => a),
  input: Int32Array.from(rows, ([, s]) => s),
  output: Int32Array.from(rows, ([, , o]) => o),
  prefill: Float64Array.from(rows, ([, , , p = 0]) => p),
});
const plain: StepTime = { base: 1, perSequence: 0.25, perKvToken: 0, perPrefillToken: 0, perContext: 0 };

function dual(requests: StepRequests, pool: StepPool, prices: StepPrices) {
  const steps = new SharedSteps(requests, pool, prices);
  const cost = steps.add(0, requests.requests);
  return { value: cost - steps.paid, cost, steps };
}

describe("by hand", () => {
  test("without prices: what each takes alone", () => {
    const stepTime = { ...plain, perKvToken: 0.5 };
    const pool = { workers: 1, slots: 4, kvTokens: 100, stepTime };
    const none = { until: 10, step: row(0), kv: row(0), slot: row(0) };
    // Steps begin with 3, 4 and 5 tokens held, the first prefills.
    const { value } = dual(requestsOf([[2, 3, 3, 0.125]]), pool, none);
    expect(value).toBeCloseTo(3 * 1.25 + 0.5 * (3 + 4 + 5) + 0.125, 12);
  });

  // Requests of n steps, one of which comes with each step: n run at once, and a step takes c + n w.
  const stream = (n: number, requests: number) => {
    const step = 1 + 0.25 * n;
    const pool = { workers: 1, slots: n, kvTokens: 1e6, stepTime: plain };
    return { requests: requestsOf(Array.from({ length: requests }, (_, i) => [i * step, 5, n])), pool, step };
  };

  test("n at once, all the time: the price of time that asks for as many proves that nothing is sooner", () => {
    const many = 30_000; // what the last ones could save by waiting until time has no price any more must not show
    for (const n of [1, 2, 7, 30]) {
      const { requests, pool, step } = stream(n, many);
      const prices = { until: many * step, step: row(n * n * 0.25), kv: row(0), slot: row(0) };
      const share = dual(requests, pool, prices).value / (many * n * step);
      expect(share, `${n}`).toBeLessThanOrEqual(1 + 1e-12);
      expect(share, `${n}`).toBeGreaterThan(n < 30 ? 0.999 : 0.96);
    }
  });

  test("which the search finds", async () => {
    const { requests, pool, step } = stream(7, 1000);
    const prices = await searchStepPrices(requests, pool, 1006 * step, new Pauses());
    const share = (await stepBound(requests, pool, prices, new Pauses())) / (1000 * 7 * step);
    expect(share).toBeLessThanOrEqual(1);
    expect(share).toBeGreaterThan(0.97);
  });
});

/** Q by its definition, step by step. */
function costByStep(
  { base: c, perSequence, perKvToken }: StepTime,
  s: number,
  o: number,
  p: number,
  m: number,
  v: number,
  u: number,
) {
  let sum = 0;
  for (let j = 1; j <= o; j++) {
    const w = perSequence + perKvToken * (s + j - 1) + (j === 1 ? p : 0);
    const a = 1 + u + v * (s + j);
    const x = Math.sqrt(a * w);
    sum += c * a + m * w + (x <= Math.sqrt(m * c) ? 2 * x * Math.sqrt(m * c) : m * c + x * x);
  }
  return sum;
}

const randomTime = (random: Random): StepTime => ({
  ...{ base: 0.05 + random.next(), perSequence: random.pick([0, 0.1, 1]) * random.next() },
  ...{
    perKvToken: random.pick([0, 0.001, 0.01]) * random.next(),
    perPrefillToken: 0.01 * random.next(),
    perContext: 0,
  },
});

const randomPrices = (random: Random, until: number, windows: number): StepPrices => {
  const some = (most: number) =>
    Float64Array.from({ length: windows }, () => random.pick([0, 0.2, 1]) * most * random.next());
  return {
    until,
    step: some(random.pick([0.5, 5, 50])),
    kv: some(random.pick([0, 0.01, 0.2])),
    slot: some(random.pick([0, 1])),
  };
};

test("a request's cost is no more than its steps' by definition, and nearly that", () => {
  const random = seeded(5);
  let near = 0;
  for (let k = 0; k < 400; k++) {
    const stepTime = randomTime(random);
    const [s, o, p] = [1 + random.below(50), 1 + random.below(60), random.next()];
    const prices = randomPrices(random, 1e9, 1);
    const { cost } = dual(requestsOf([[0, s, o, p]]), { workers: 1, slots: 1, kvTokens: 1, stepTime }, prices);
    const exact = costByStep(stepTime, s, o, p, prices.step[0], prices.kv[0], prices.slot[0]);
    expect(cost).toBeLessThanOrEqual(exact * (1 + 1e-12));
    if (cost > 0.97 * exact) near++;
  }
  expect(near).toBeGreaterThan(300);
});

test("what is used of a window is by how much costs rise with its prices", () => {
  const random = seeded(6);
  let moved = 0;
  for (let k = 0; k < 60; k++) {
    const pool = { workers: 2, slots: 3, kvTokens: 90, stepTime: randomTime(random) };
    const requests = requestsOf(
      Array.from({ length: 6 }, () => [
        10 * random.next(),
        1 + random.below(20),
        1 + random.below(9),
        0.1 * random.next(),
      ]),
    );
    const prices = randomPrices(random, 20, 3);
    for (const name of ["step", "kv", "slot"] as const) prices[name] = prices[name].map((price) => price + 0.01);
    const { steps } = dual(requests, pool, prices);
    for (const name of ["step", "kv", "slot"] as const) {
      for (let w = 0; w < 3; w++) {
        const at = (change: number) => {
          const other = { ...prices, [name]: prices[name].map((price, l) => (l === w ? price + change : price)) };
          return dual(requests, pool, other).cost;
        };
        const h = 1e-7;
        const [below, above] = [(at(0) - at(-h)) / h, (at(h) - at(0)) / h];
        if (Math.abs(below - above) > 1e-3 * (1 + Math.abs(above))) continue; // a kink lies between
        expect(steps.used[name][w]).toBeCloseTo(above, 1);
        moved++;
      }
    }
  }
  expect(moved).toBeGreaterThan(400);
});

test("no schedule is below it, whatever the prices", async () => {
  const random = seeded(7);
  const policies = [scheduling.fcfs(), scheduling.svf(), scheduling.sjf(), scheduling.trail(), scheduling.mcsf()];
  let close = 0;
  for (let k = 0; k < 150; k++) {
    const stepTime = randomTime(random);
    const worker = { slots: 1 + random.below(8), kvTokens: 80 + random.below(100), stepTime };
    const workers = 1 + random.below(3);
    let now = 0;
    const rate = random.pick([0, 0.3, 2]);
    const rows = Array.from({ length: 1 + random.below(40) }, (): [number, number, number, number] => {
      now += rate * random.next();
      const input = 1 + random.below(30);
      return [now, input, 1 + random.below(40), stepTime.perPrefillToken * input];
    });
    const requests = requestsOf(rows);
    const { arrival, input, output } = requests;
    const trace = { requests: rows.length, arrival, input, output };
    const bounds: number[] = [];
    const pool = { ...worker, workers };
    const totals: number[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const policy of policies) {
      const { summary } = await simulate(trace, {
        ...{ workers: Array.from({ length: workers }, () => worker), clock: "seconds", prediction: "exact" },
        ...{ routing: routing.leastKv(), scheduling: policy, eviction: random.pick(["restart", "recompute"]) },
      });
      totals.push(summary.latency.mean * rows.length);
      until = Math.min(until, summary.makespan);
    }
    for (let t = 0; t < 8; t++)
      bounds.push(dual(requests, pool, randomPrices(random, until * (0.3 + random.next()), 1 + random.below(5))).value);
    const found = await stepBound(
      requests,
      pool,
      await searchStepPrices(requests, pool, until, new Pauses()),
      new Pauses(),
    );
    const least = Math.min(...totals);
    expect(Math.max(found, ...bounds) / least, `trace ${k}`).toBeLessThanOrEqual(1 + 1e-12);
    expect(found).toBeGreaterThan(0);
    if (found > 0.9 * least) close++;
  }
  expect(close).toBeGreaterThan(10);
});

test("an empty trace costs nothing, and requests that come after the windows cost what they take alone", async () => {
  const pool = { workers: 1, slots: 1, kvTokens: 10, stepTime: plain };
  const free = { until: 5, step: row(3, 3), kv: row(0, 0), slot: row(0, 0) };
  expect(dual(requestsOf([]), pool, free).cost).toBe(0);
  expect(dual(requestsOf([[5, 1, 4]]), pool, free).cost).toBeCloseTo(4 * 1.25, 12);
});
