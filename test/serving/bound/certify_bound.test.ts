import { describe, expect, test } from "vitest";
import { Pauses } from "../../../src/common/pauses.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { Dual } from "../../../src/serving/bound/dual.ts";
import { cpuPricing } from "../../../src/serving/bound/pricing.ts";
import { timedRequests } from "../../../src/serving/bound/timed_requests.ts";
import { type BoundOptions, type BoundPrices, certifyBound, type Trace } from "../../../src/serving.ts";
import { hindsightLp } from "./hindsight_lp.ts";
import { bruteForce } from "./instances.ts";
import { drawnProblem, optimumWithResume, roundsTrace } from "./problems.ts";

/** Prices in parts of 2^-30, some 0, of a scale between what is too little and what is too much. */
function drawnPrices(random: Random, rounds: number, slots: boolean): BoundPrices {
  const scale = 2 ** (random.next() * 6 - 5);
  const drawn = () =>
    Float64Array.from({ length: rounds + 1 }, () => (random.next() < 0.3 ? 0 : random.next() * scale));
  return slots ? { kv: drawn(), slot: drawn() } : { kv: drawn() };
}

const falling = (price: Float64Array) => price.slice().sort((a, b) => b - a);

/** D as it is written, sum by sum, in whole units of 2^-30. */
function dualByTheFormula(trace: Trace, o: BoundOptions, { kv, slot }: BoundPrices): number {
  const { kvTokens, workers = 1, slots = 0 } = o;
  const units = (x: number) => BigInt(Math.floor(x * 2 ** 30));
  const at = (price: Float64Array | undefined, t: number) =>
    price && t > 0 && t < price.length ? units(price[t]) : 0n;
  let total = 0n;
  for (let t = 1; t < kv.length; t++)
    total -= BigInt(workers) * (BigInt(kvTokens) * at(kv, t) + BigInt(slots) * at(slot, t));
  for (let i = 0; i < trace.requests; i++) {
    const a = trace.arrival[i];
    let least: bigint | undefined;
    for (let k = a; k <= Math.max(a, kv.length); k++) {
      let cost = units(k + trace.output[i] - a);
      for (let j = 1; j <= trace.output[i]; j++) cost += BigInt(trace.input[i] + j) * at(kv, k + j) + at(slot, k + j);
      if (least === undefined || cost < least) least = cost;
    }
    total += least!;
  }
  const unit = 2n ** 30n;
  return Number(total > 0n ? (total + unit - 1n) / unit : total / unit);
}

test("2,000 instances: no prices, of any horizon, prove more than the optimum; with resume where they never rise", () => {
  const random = seeded(18);
  let tight = 0;
  for (let run = 0; run < 2000; run++) {
    const problem = drawnProblem(random);
    const { trace, options } = problem;
    const optimum = bruteForce(problem.trace, problem.options);
    const resumed = optimumWithResume(problem);
    expect(resumed).toBeLessThanOrEqual(optimum);
    for (let draw = 0; draw < 5; draw++) {
      const prices = drawnPrices(random, Math.floor(random.next() * 20), options.slots !== undefined);
      const bound = certifyBound(trace, options, prices);
      expect(bound).toEqual({ total: dualByTheFormula(trace, options, prices), valid: true });
      expect(bound.total, `run ${run}`).toBeLessThanOrEqual(optimum);
      const fallen = { kv: falling(prices.kv), ...(prices.slot && { slot: falling(prices.slot) }) };
      const resume = certifyBound(trace, { ...options, preemption: "resume" }, fallen);
      expect(resume.valid).toBe(true);
      expect(resume.total, `run ${run}`).toBeLessThanOrEqual(resumed);
    }
    const lp = hindsightLp(problem);
    const best = certifyBound(trace, options, { kv: lp.kv, ...(options.slots && { slot: lp.slot }) });
    expect(best.total, `run ${run}`).toBeLessThanOrEqual(optimum);
    expect(best.total, `run ${run}`).toBe(Math.ceil(lp.value - 1e-6));
    if (best.total === optimum) tight++;
  }
  expect(tight).toBeGreaterThan(500);
});

test("at the LP's own prices D is the LP's value, whatever the workers and slots", async () => {
  const random = seeded(19);
  for (let run = 0; run < 300; run++) {
    const problem = drawnProblem(random, 9);
    const { trace, options } = problem;
    const { value, kv, slot } = hindsightLp(problem);
    const requests = timedRequests(trace, 0, trace.requests, 0);
    const pool = { memory: options.kvTokens * options.workers, slots: (options.slots ?? Infinity) * options.workers };
    const dual = new Dual(requests, pool, kv.length - 1, cpuPricing(requests, new Pauses()));
    expect(await dual.evaluate(options.slots ? { kv, slot } : { kv })).toBeCloseTo(value, 6);
  }
});

describe("by hand", () => {
  // Two requests of 1 + 1 tokens and memory for one: they take turns, 1 and 2 rounds.
  const trace = roundsTrace([
    [0, 1, 1],
    [0, 1, 1],
  ]);
  const options = { kvTokens: 3 };
  const prices = { kv: Float64Array.of(0, 0.5) };

  test("one round's price of half a round per token proves the optimum", () => {
    // Each pays 2 x 0.5 for round 1, or waits for round 2: 2 each, less 3 x 0.5 for all of round 1's memory.
    expect(certifyBound(trace, options, prices)).toEqual({ total: Math.ceil(4 - 1.5), valid: true });
  });

  test("what comes between two rounds waits for the next, which counts", () => {
    const late = { ...trace, arrival: Float64Array.of(0.25, 0.25) };
    expect(certifyBound(late, options, { kv: Float64Array.of(0, 0, 0.5) }).total).toBe(3 + 2 * 0.75);
    expect(certifyBound(late, options, { kv: new Float64Array(1) }).total).toBe(2 + 2 * 0.75);
  });

  test("round 0 is of no meaning, and what lies beyond the prices is free", () => {
    expect(certifyBound(trace, options, { kv: Float64Array.of(99, 0.5) }).total).toBe(3);
    expect(certifyBound(trace, options, { kv: new Float64Array(0) })).toEqual({ total: 2, valid: true });
  });

  test.each([
    ["negative", { kv: Float64Array.of(0, -0.5) }],
    ["NaN", { kv: Float64Array.of(0, Number.NaN) }],
    ["infinite", { kv: Float64Array.of(0, Number.POSITIVE_INFINITY) }],
    ["beyond the arithmetic", { kv: Float64Array.of(0, 1e300) }],
    ["of slots that are not limited", { ...prices, slot: Float64Array.of(0, 1) }],
  ])("prices that are %s prove nothing", (_, wrong) => {
    expect(certifyBound(trace, options, wrong)).toEqual({ total: 0, valid: false });
  });

  test("with resume prices that rise prove nothing", () => {
    const rising = { kv: Float64Array.of(0, 0.25, 0.5) };
    expect(certifyBound(trace, { ...options, preemption: "resume" }, rising).valid).toBe(false);
    expect(certifyBound(trace, options, rising).valid).toBe(true);
  });

  test("prices between two units are rounded down", () => {
    const between = { kv: Float64Array.of(0, 0.5 + 2 ** -40) };
    expect(certifyBound(trace, options, between)).toEqual(certifyBound(trace, options, prices));
  });

  test("wrong arguments are named", () => {
    const two = { ...prices, slot: Float64Array.of(0) };
    expect(() => certifyBound(trace, { ...options, slots: 1 }, two)).toThrow("prices.slot: expected 2 values");
    expect(() => certifyBound(trace, options, { kv: "1" } as never)).toThrow("prices.kv: expected an array");
    expect(() => certifyBound(trace, options, {} as never)).toThrow("prices.kv");
    expect(() => certifyBound(trace, { kvTokens: 1 }, prices)).toThrow("kvTokens: expected at least the 2 tokens");
    expect(() => certifyBound(trace, { kvTokens: 2.5 }, prices)).toThrow("kvTokens: expected an integer");
    expect(() => certifyBound(trace, { ...options, workers: 0 }, prices)).toThrow("workers");
    expect(() => certifyBound(trace, { ...options, preemption: "swap" as never }, prices)).toThrow("preemption");
    expect(() => certifyBound(trace, { ...options, slot: 1 } as never, prices)).toThrow("Did you mean slots?");
    expect(() => certifyBound({ ...trace, requests: 3 }, options, prices)).toThrow("trace.arrival");
  });
});

test("large prices of many requests are summed exactly: 2^53 units are never reached", () => {
  const random = seeded(20);
  const rows = Array.from(
    { length: 200 },
    () =>
      [
        Math.floor(random.next() * 50),
        1 + Math.floor(random.next() * 1e5),
        1 + Math.floor(random.next() * 90),
      ] as const,
  );
  const trace = roundsTrace(rows);
  const kv = Float64Array.from({ length: 300 }, () => Math.floor(random.next() * 2 ** 20) / 2 ** 10);
  const options = { kvTokens: 2e5, workers: 7 };
  expect(certifyBound(trace, options, { kv }).total).toBe(dualByTheFormula(trace, options, { kv }));
});
