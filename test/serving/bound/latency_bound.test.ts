import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { windowsOf } from "../../../src/serving/bound/windows.ts";
import {
  certifyBound,
  generateTrace,
  type LatencyBoundOptions,
  latencyBound,
  routing,
  scheduling,
  simulate,
  type Trace,
} from "../../../src/serving.ts";
import { needsRecordedData, recordedDataPresent } from "../../helpers/recorded.ts";
import { burstgpt } from "../burstgpt.ts";
import { bruteForce } from "./instances.ts";
import { drawnProblem, optimumWithResume, roundsTrace } from "./problems.ts";

const svf = async (trace: Trace, kvTokens: number) =>
  simulate(trace, {
    ...{ workers: [{ slots: trace.requests, kvTokens }], clock: "rounds", prediction: "exact" },
    ...{ routing: routing.roundRobin(), scheduling: scheduling.svf() },
  });

describe.runIf(recordedDataPresent)(`BurstGPT requests on 16,492 tokens ${needsRecordedData}`, () => {
  const options = { kvTokens: 16_492, backend: "cpu" } as const;

  test.each([
    ["1,000 at once", 1000, 0, {}, 195.7, 195.91],
    ["1,000 at 0.8 per round", 1000, 0.8, {}, 99.0, 99.4],
    ["1,000 at 0.2 per round", 1000, 0.2, {}, 64.0, 64.6],
  ] as const)("%s: within what is known of the LP, and certified", async (_, n, rate, more, least, most) => {
    const trace = burstgpt(n, rate);
    const { total, mean, prices, evaluations } = await latencyBound(trace, { ...options, ...more });
    expect(evaluations).toBeLessThanOrEqual(1000);
    expect(mean).toBeGreaterThanOrEqual(least);
    expect(mean).toBeLessThanOrEqual(most);
    expect(mean).toBe(total / n);
    expect(certifyBound(trace, { kvTokens: 16_492 }, prices)).toEqual({ total, valid: true });
    for (const v of prices.kv) expect(Number.isInteger(v * 2 ** 30)).toBe(true);
  });

  test("8,000 at once: shortest volume first is within 1.06 of a bound of ten evaluations", async () => {
    const trace = burstgpt(8000, 0);
    const { mean, evaluations } = await latencyBound(trace, { ...options, evaluations: 10 });
    const { summary } = await svf(trace, 16_492);
    expect(evaluations).toBeLessThanOrEqual(10);
    expect(summary.latency.mean / mean).toBeLessThanOrEqual(1.06);
  });

  test("slots that bind are what the bound is made of", async () => {
    const trace = burstgpt(300, 0);
    const few = { ...options, slots: 8, evaluations: 300 };
    const { mean, prices } = await latencyBound(trace, few);
    const { mean: without } = await latencyBound(trace, { ...options, evaluations: 300 });
    expect(prices.slot!.some((w) => w > 0)).toBe(true);
    expect(mean).toBeGreaterThan(1.5 * without);
    const { summary } = await simulate(trace, {
      ...{ workers: [{ slots: 8, kvTokens: 16_492 }], clock: "rounds", prediction: "exact" },
      ...{ routing: routing.roundRobin(), scheduling: scheduling.sjf() },
    });
    expect(mean).toBeLessThanOrEqual(summary.latency.mean);
  });

  test("searches on WebGPU and on the CPU end within 0.5 % of each other", async () => {
    for (const [rate, slots] of [
      [0, undefined],
      [0.8, 24],
    ] as const) {
      const trace = burstgpt(200, rate);
      const search = { kvTokens: 16_492, slots, evaluations: 80 };
      const cpu = await latencyBound(trace, { ...search, backend: "cpu" });
      const gpu = await latencyBound(trace, { ...search, backend: "webgpu" });
      expect([cpu.backend, gpu.backend]).toEqual(["cpu", "webgpu"]);
      expect(Math.abs(gpu.mean / cpu.mean - 1)).toBeLessThan(0.005);
    }
  });
});

test("no more than the optimum, and within what few requests at once leave, of 300 small instances", async () => {
  const random = seeded(21);
  let ratios = 0;
  for (let run = 0; run < 300; run++) {
    const problem = drawnProblem(random);
    const optimum = bruteForce(problem.trace, problem.options);
    const { total } = await latencyBound(problem.trace, { ...problem.options, evaluations: 150 });
    expect(total, `run ${run}`).toBeLessThanOrEqual(optimum);
    expect(optimum / total, `run ${run}`).toBeLessThan(1.5);
    ratios += optimum / total;
    const resume = { ...problem.options, preemption: "resume", evaluations: 60 } as const;
    expect((await latencyBound(problem.trace, resume)).total).toBeLessThanOrEqual(optimumWithResume(problem));
  }
  expect(ratios / 300).toBeLessThan(1.16);
});

test("the search goes on where older directions hide that a price should rise: HiGHS has 9.14 here", async () => {
  const trace = roundsTrace([
    [2, 6, 3],
    [2, 1, 1],
    [2, 2, 1],
    [5, 5, 4],
  ]);
  expect((await latencyBound(trace, { kvTokens: 11 })).total).toBe(10);
});

test("a few large requests, one at a time of which the memory holds: what their volume takes, from the first evaluations on", async () => {
  // 300 of 360,300 token-rounds each, of which 320,000 are free from one arrival to the next: the queue grows by 40.3 rounds each.
  const trace = roundsTrace(Array.from({ length: 300 }, (_, i) => [320 * i, 300, 600] as const));
  const { mean } = await latencyBound(trace, { kvTokens: 1000, evaluations: 5, backend: "cpu" });
  expect(mean).toBeGreaterThan(40.3 * 149.5);
  expect(mean).toBeLessThan(40.3 * 149.5 + 600);
});

test("requests that never wait are bounded by their outputs", async () => {
  const trace = roundsTrace([
    [0, 5, 3],
    [9, 5, 4],
  ]);
  expect(await latencyBound(trace, { kvTokens: 9 })).toMatchObject({ total: 7, mean: 3.5 });
  const none = { requests: 0, arrival: new Float64Array(0), input: new Int32Array(0), output: new Int32Array(0) };
  expect(await latencyBound(none, { kvTokens: 9 })).toMatchObject({ total: 0, mean: 0 });
});

test.each([
  ["a queue now and then", 0.045, 0.7],
  ["more than the memory can take", 0.35, 0.75],
])("arrivals between rounds, %s: below a policy, and not far", async (_, rate, share) => {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  const trace = generateTrace({ requests: 400, seed: 3, rate, lengths });
  const { mean } = await latencyBound(trace, { kvTokens: 1000, backend: "cpu" });
  const { summary } = await svf(trace, 1000);
  expect(mean).toBeLessThanOrEqual(summary.latency.mean);
  expect(mean).toBeGreaterThan(share * summary.latency.mean);
});

test("a long trace is bounded in windows: the sum of its parts at least, and below a policy", async () => {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  const busy = generateTrace({ requests: 200, seed: 4, rate: 0.5, lengths });
  const rows = (shift: number) =>
    Array.from(busy.arrival, (a, i) => [Math.floor(a) + shift, busy.input[i], busy.output[i]] as const);
  const far = 1_500_000;
  const both = roundsTrace([...rows(0), ...rows(far)]);
  expect(windowsOf(both, false).length).toBe(2);
  expect(windowsOf(both, true).length).toBe(1);
  const options = { kvTokens: 1000, evaluations: 20, backend: "cpu" } as const;
  const one = await latencyBound(roundsTrace(rows(0)), options);
  const two = await latencyBound(both, options);
  expect(two.total).toBeGreaterThanOrEqual(2 * one.total - 1);
  expect(two.total).toBeLessThanOrEqual(2 * one.total + 1);
  expect(two.evaluations).toBeLessThanOrEqual(20);
  expect(certifyBound(both, { kvTokens: 1000 }, two.prices)).toEqual({ total: two.total, valid: true });
});

test("with resume the prices never rise, and the bound is hardly higher at the most", async () => {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  const trace = generateTrace({ requests: 200, seed: 5, rate: 0.5, lengths });
  const options = { kvTokens: 1000, slots: 9, backend: "cpu" } as const;
  const restart = await latencyBound(trace, options);
  const { total, prices } = await latencyBound(trace, { ...options, preemption: "resume" });
  for (const side of [prices.kv, prices.slot!]) {
    for (let t = 2; t < side.length; t++) expect(side[t]).toBeLessThanOrEqual(side[t - 1]);
  }
  expect(total).toBeLessThanOrEqual(restart.total * 1.03); // both are what a search has found
  expect(certifyBound(trace, { kvTokens: 1000, slots: 9, preemption: "resume" }, prices)).toEqual({
    total,
    valid: true,
  });
});

test("plain arrays do, and limits near 2^31", async () => {
  const plain = { requests: 2, arrival: [0, 0.5], input: [5, 5], output: [3, 3] } as never;
  expect((await latencyBound(plain, { kvTokens: 9, evaluations: 1 })).total).toBeGreaterThanOrEqual(6.5);
  const most = 2 ** 31 - 1;
  const wide = { kvTokens: most, workers: most, slots: most, evaluations: 3 };
  expect((await latencyBound(roundsTrace([[0, 5, 3]]), wide)).total).toBe(3);
});

describe("as an argument", () => {
  const trace = roundsTrace([[0, 5, 3]]);
  test.each([
    [{ kvTokens: 7 }, "kvTokens: expected at least the 8 tokens that request 0 holds at its end, got 7."],
    [{}, "kvTokens: expected an integer"],
    [{ kvTokens: 9, evaluations: 0 }, "evaluations: expected an integer >= 1, got 0."],
    [{ kvTokens: 9, backend: "gpu" }, 'backend: expected one of auto, webgpu, cpu, got "gpu".'],
    [{ kvTokens: 9, slots: Number.POSITIVE_INFINITY }, "slots: expected an integer"],
    [{ kvTokens: 9, evaluation: 3 }, "Did you mean evaluations?"],
    [{ kvTokens: 9, signal: 5 }, "signal: expected an AbortSignal, got 5."],
    [{ kvTokens: 9, onProgress: 5 }, "onProgress: expected a function, got 5."],
  ])("%j is refused", async (options, message) => {
    await expect(latencyBound(trace, options as LatencyBoundOptions)).rejects.toThrow(message);
  });

  test("a trace too long to have a price per round is refused, one with a NaN, and none at all", async () => {
    const o = { kvTokens: 9 };
    const late = { ...trace, arrival: Float64Array.of(1e8) };
    await expect(latencyBound(late, o)).rejects.toThrow("trace: expected fewer than 2^26 rounds until it is served");
    const long = { ...trace, output: Int32Array.of(2 ** 27) };
    await expect(latencyBound(long, { kvTokens: 2 ** 28 })).rejects.toThrow("trace: expected fewer than 2^26 rounds");
    const resumed = { ...trace, arrival: Float64Array.of(2 ** 23) };
    await expect(latencyBound(resumed, { ...o, preemption: "resume" })).rejects.toThrow(
      "trace: expected fewer than 2^22",
    );
    const never = { ...trace, arrival: Float64Array.of(1e305) };
    await expect(latencyBound(never, o)).rejects.toThrow("trace.arrival[0]: expected rounds below 2^52");
    await expect(latencyBound({ ...trace, arrival: Float64Array.of(Number.NaN) }, o)).rejects.toThrow(
      "trace.arrival[0]",
    );
    await expect(latencyBound(undefined as never, o)).rejects.toThrow("trace: expected an object");
  });
});

test("it stops on a signal, tells how far it is, and lets timers through", async () => {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  const trace = generateTrace({ requests: 3000, seed: 6, rate: 5, arrivals: "burst", lengths });
  const controller = new AbortController();
  const shares: number[] = [];
  const timer = setTimeout(() => controller.abort(new Error("enough")), 60);
  const options = {
    kvTokens: 1000,
    backend: "cpu",
    signal: controller.signal,
    onProgress: (x: number) => shares.push(x),
  } as const;
  await expect(latencyBound(trace, options)).rejects.toThrow("enough");
  clearTimeout(timer);
  await expect(latencyBound(trace, options)).rejects.toThrow("enough");
  expect(shares.every((x, i) => x > (shares[i - 1] ?? 0) && x <= 1)).toBe(true);
});
