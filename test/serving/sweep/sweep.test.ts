/** A sweep's figures against the simulator's, which shares nothing with it but the policies' names, and against exact arithmetic. */
import { describe, expect, test } from "vitest";
import { routing, type SweptScenario, scheduling, simulate, sweep, type Trace } from "../../../src/serving.ts";
import { greedyBfio } from "./greedy_bfio.ts";
import { brokenStepTime, drawn, wholeStepTime } from "./instances.ts";

const policyOf = { roundRobin: routing.roundRobin(), leastKv: routing.leastKv(), bfio: greedyBfio };

/** Within the rounding of floats, or NaN both. */
function expectNear(found: number, expected: number, what: string): void {
  if (Number.isNaN(expected)) expect(found, what).toBeNaN();
  else expect(Math.abs(found - expected), what).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)));
}

async function simulated(trace: Trace, grid: ReturnType<typeof drawn>["grid"], one: SweptScenario) {
  const { clock, worker, prefill, eviction, prediction, slo } = grid;
  const workers = Array.from({ length: one.workers }, () => worker);
  const policies = { routing: policyOf[one.routing], scheduling: scheduling[one.scheduling]() };
  return simulate(trace, { ...{ clock, workers, prefill, eviction, prediction, slo, seed: one.seed }, ...policies });
}

test.each(Array.from({ length: 8 }, (_, k) => 300 + k))(
  "seed %d: what the simulator says of the same",
  async (seed) => {
    const { trace, grid } = drawn(seed, wholeStepTime);
    const { scenarios } = await sweep(trace, grid, { backend: "cpu" });
    expect(scenarios.length).toBe(48);
    for (const one of scenarios) {
      const { summary, arrival, firstToken, finish } = await simulated(trace, grid, one);
      const figures: [string, number, number][] = [
        ["makespan", one.makespan, summary.makespan],
        ["steps", one.steps, summary.steps],
        ["evictions", one.evictions, summary.evictions],
        ["wastedTokens", one.wastedTokens, summary.wastedTokens],
        ["wait", one.wait, summary.wait.mean],
        ["ttft", one.ttft.mean, summary.ttft.mean],
        ["latency", one.latency, summary.latency.mean],
        ["requestThroughput", one.requestThroughput, summary.requestThroughput],
        ["tokenThroughput", one.tokenThroughput, summary.tokenThroughput],
        ["energy", one.energy, summary.energy],
        ["goodput", one.goodput ?? Number.NaN, summary.goodput ?? Number.NaN],
      ];
      for (const [name, found, expected] of figures) expectNear(found, expected, `${name} of ${JSON.stringify(one)}`);
      // Of the times themselves, in order: a percentile is one that so many are no longer than, to half a bin of 1/64.
      const times = { ttft: firstToken.map((t, i) => t - arrival[i]), tpot: tpots(trace, firstToken, finish) };
      for (const name of ["ttft", "tpot"] as const) {
        const sorted = times[name].slice().sort();
        for (const p of [50, 90, 95, 99] as const) {
          const exact = sorted[Math.ceil((p / 100) * sorted.length) - 1];
          const unit = grid.clock === "seconds" ? 1e-6 : 2 ** -20; // they are whole
          expect(Math.abs(one[name][`p${p}`] - exact)).toBeLessThanOrEqual(exact / 128 + unit);
        }
      }
    }
  },
);

function tpots({ output }: Trace, firstToken: Float64Array, finish: Float64Array): Float64Array {
  const several = [...output.keys()].filter((i) => output[i] > 1);
  return Float64Array.from(several, (i) => (finish[i] - firstToken[i]) / (output[i] - 1));
}

describe("a step's time rounded up", () => {
  /** A coefficient of a float s in units of 2^-32 us, exactly. */
  const units = (seconds: number): bigint => BigInt(Math.round(seconds * 1e6 * 2 ** 32));

  test("of a lone request, step by step, in exact integers", async () => {
    const [s, o, chunk] = [777, 61, 100];
    const { base, perSequence, perKvToken, perPrefillToken, perContext } = brokenStepTime;
    const [c0, cSeq, cKv, cPre, cHalf] = [base, perSequence, perKvToken, perPrefillToken, perContext / 2].map(units);
    const up = (u: bigint) => (u + 2n ** 32n - 1n) >> 32n;
    let now = 0n;
    for (let before = 0; before < s; before += chunk) {
      const part = Math.min(chunk, s - before);
      now += up(c0 + cSeq + cKv * BigInt(s) + cPre * BigInt(part) + cHalf * BigInt(part * (2 * before + part)));
    }
    const first = now;
    for (let made = 1; made < o; made++) now += up(c0 + cSeq + cKv * BigInt(s + made));
    const trace = { requests: 1, arrival: Float64Array.of(0.25), input: Int32Array.of(s), output: Int32Array.of(o) };
    const worker = { slots: 8, kvTokens: 4000, stepTime: brokenStepTime };
    for (const backend of ["cpu", "webgpu"] as const) {
      const grid = { clock: "seconds", worker, workers: [1], prefill: { chunk } } as const;
      const { scenarios } = await sweep(trace, grid, { backend });
      expect(Math.round(1e6 * scenarios[0].latency)).toBe(Number(now));
      expect(Math.round(1e6 * scenarios[0].ttft.mean)).toBe(Number(first));
      expect(Math.round(1e6 * scenarios[0].tpot.mean)).toBe(Number((now - first) / BigInt(o - 1)));
    }
  });
});

test("a part of a sweep is its scenarios, the same on both backends; stretched arrivals come at the rate", async () => {
  const { trace, grid } = drawn(5, brokenStepTime);
  const rates = [0.7, 1.9];
  const whole = await sweep(trace, { ...grid, rates, arrivals: { cv: 2 }, seeds: [3, 4] }, { backend: "cpu" });
  const parts = await Promise.all(
    [0, 1, 2].map((index) =>
      sweep(
        trace,
        { ...grid, rates, arrivals: { cv: 2 }, seeds: [3, 4] },
        { backend: "webgpu", shard: { index, count: 3 } },
      ),
    ),
  );
  expect(parts.map(({ backend }) => backend)).toEqual(["webgpu", "webgpu", "webgpu"]);
  const all = parts.flatMap(({ scenarios }) => scenarios).sort((a, b) => a.index - b.index);
  expect(all).toEqual(whole.scenarios);
  expect(whole.scenarios.map(({ index }) => index)).toEqual([...whole.scenarios.keys()]);

  // With room for all, what takes long is the arrivals alone.
  const seldom = {
    ...grid,
    worker: { slots: 500, kvTokens: 1e6, stepTime: brokenStepTime },
    clock: "seconds" as const,
  };
  for (const one of (await sweep(trace, { ...seldom, rates: [0.01, 0.02], workers: [4] })).scenarios) {
    const [first, last] = [trace.arrival[0], trace.arrival[trace.requests - 1]];
    if (last > first) expect(one.makespan * one.rate!).toBeCloseTo(trace.requests - 1, 0);
  }
});
