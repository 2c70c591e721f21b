import { describe, expect, test } from "vitest";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { centralQueue, inTurn } from "./policies.ts";
import { randomTrace, traceOf, worker } from "./traces.ts";

test("rounds by hand: two slots, three requests", async () => {
  const trace = traceOf([0, 0.5, 1], [4, 4, 4], [3, 1, 2]);
  const { start, firstToken, finish, summary } = await simulate(trace, {
    workers: [{ slots: 2, kvTokens: 100 }],
    clock: "rounds",
    routing: inTurn,
  });
  expect([...start]).toEqual([0, 1, 2]);
  expect([...firstToken]).toEqual([1, 2, 3]);
  expect([...finish]).toEqual([3, 2, 4]);
  expect(summary).toMatchObject({ requests: 3, completed: 3, from: 0, to: 2, makespan: 4, steps: 4, evictions: 0 });
  expect(summary.ttft.mean).toBeCloseTo((1 + 1.5 + 2) / 3);
  expect(summary.tpot.mean).toBe(1);
  expect(summary.latency.mean).toBeCloseTo((3 + 1.5 + 3) / 3);
  // Until 2: one step of one request, one of two; the third waits from 1 to 2, the second from 0.5 to 1.
  expect(summary).toMatchObject({ slotUse: 0.75, tokenThroughput: 1.5, requestThroughput: 0.5, queue: 0.75 });
});

test("seconds by hand: each term of the step time", async () => {
  const stepTime = { base: 1, perSequence: 0.5, perKvToken: 0.25, perPrefillToken: 0.125, perContext: 0.0625 };
  const { firstToken, finish } = await simulate(traceOf([0], [8], [3]), {
    workers: [worker(1, 100, stepTime)],
    ...{ clock: "seconds", routing: inTurn, prefill: { chunk: 6 } },
  });
  const chunks = [1 + 0.5 + 0.25 * 8 + 0.125 * 6 + 0.0625 * 18, 1 + 0.5 + 0.25 * 8 + 0.125 * 2 + 0.0625 * (2 * 7)];
  expect(firstToken[0]).toBe(chunks[0] + chunks[1]);
  expect(finish[0]).toBe(firstToken[0] + (1.5 + 0.25 * 9) + (1.5 + 0.25 * 10));
});

test("unequal workers each take their own time; behind a barrier all take the longest", async () => {
  const trace = traceOf([0, 0], [4, 4], [5, 5]);
  const workers = [worker(1, 100, { base: 1 }), worker(1, 100, { base: 3 })];
  const alone = await simulate(trace, { workers, clock: "seconds", routing: inTurn });
  expect([...alone.finish]).toEqual([5, 15]);
  const together = await simulate(trace, { workers, clock: "seconds", routing: inTurn, barrier: true });
  expect([...together.finish]).toEqual([15, 15]);
});

describe("prefill on workers of its own", () => {
  const options: SimulateOptions = {
    workers: [worker(4, 1000, { base: 1 })],
    prefill: { pool: [worker(1, 100, { base: 2, perPrefillToken: 0.1 })], bandwidth: 10 },
    ...{ clock: "seconds", routing: inTurn },
  };

  test("makes the first token, which comes with its KV, then the others go on elsewhere", async () => {
    const {
      start,
      firstToken,
      finish,
      worker: where,
    } = await simulate(traceOf([0, 0, 9], [10, 20, 5], [3, 1, 2]), options);
    expect([...start]).toEqual([0, 3, 9]);
    expect([...firstToken]).toEqual([3 + 1, 3 + 4 + 2, 9 + 2.5 + 0.5]);
    expect([...finish]).toEqual([4 + 2, 9, 12 + 1]);
    expect([...where]).toEqual([0, 1, 0]); // the second is done when the prefill worker is
  });

  test("the gap before the second token counts the wait for a slot", async () => {
    const { summary } = await simulate(traceOf([0, 0], [10, 10], [3, 3]), {
      ...options,
      workers: [worker(1, 1000, { base: 1 })],
    });
    // First tokens at 4 and 7: 4 to 5 to 6; 7 to 8 to 9.
    expect(summary.itl.mean).toBe(1);
    const slow = await simulate(traceOf([0, 0], [10, 10], [9, 3]), {
      ...options,
      workers: [worker(1, 1000, { base: 1 })],
    });
    // The second has its first token at 7, waits until 12, and has its next at 13.
    expect(slow.summary.itl.mean).toBeCloseTo((9 + 6) / 10);
  });

  test("a prompt that no worker of the pool holds is too large", async () => {
    await expect(simulate(traceOf([0], [101], [1]), options)).rejects.toThrow("trace, request 0");
    const { summary } = await simulate(traceOf([0, 1], [101, 10], [1, 1]), { ...options, tooLarge: "reject" });
    expect(summary).toMatchObject({ requests: 2, completed: 1, rejected: 1 });
  });

  test("with rounds: a batch takes a round", async () => {
    const { firstToken, finish } = await simulate(traceOf([0.5, 0.75], [10, 10], [2, 2]), {
      workers: [{ slots: 2, kvTokens: 100 }],
      prefill: { pool: [{ slots: 2, kvTokens: 100 }], bandwidth: 20 },
      ...{ clock: "rounds", routing: inTurn },
    });
    expect([...firstToken]).toEqual([2.5, 2.5]);
    expect([...finish]).toEqual([4, 4]);
  });
});

test("a closed pool is refilled in the trace's order, and a request arrives when it comes into it", async () => {
  const { start, summary } = await simulate(traceOf([0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]), {
    workers: [{ slots: 1, kvTokens: 10 }],
    ...{ clock: "rounds", routing: centralQueue, arrivals: { pool: 2 } },
  });
  expect([...start]).toEqual([0, 2, 4, 6]);
  // Filled before the first begins, and again after each step that followed a start: they come at 0, 0, 1 and 3.
  expect(summary.wait.mean).toBe((0 + 2 + 3 + 3) / 4);
});

test("goodput, fairness, energy and samples, by hand", async () => {
  const trace = { ...traceOf([0, 0, 4], [4, 4, 4], [4, 8, 4]), class: Int32Array.of(0, 1, 0) };
  const workers = [worker(1, 100, { base: 1 }), worker(1, 100, { base: 1 })];
  const options: SimulateOptions = { workers, clock: "seconds", routing: centralQueue, slo: { ttft: 1, tpot: 1 } };
  const { summary, series } = await simulate(trace, options);
  // The last begins at 4, when the first has finished.
  expect(summary).toMatchObject({ from: 0, to: 4, goodput: 0.25, requestThroughput: 0.25, idle: 0, fairness: 1 });
  expect(summary.energy).toBe(2 * 4 * (100 + 300));
  const { time, load, running } = series;
  const at3 = time.indexOf(3);
  expect([...load.subarray(2 * at3, 2 * at3 + 2)]).toEqual([7, 7]);
  expect([...running.subarray(2 * at3, 2 * at3 + 2)]).toEqual([1, 1]);
  expect((await simulate(trace, { ...options, slo: { ttft: 0.5 } })).summary.goodput).toBe(0);
});

test("the warm-up counts in no figure of the tokens either", async () => {
  const arrival = Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : 1500 + 10 * (i - 50)));
  const trace = traceOf(arrival, new Array(100).fill(5), new Array(100).fill(20));
  const blocks = {
    start: Int32Array.from({ length: 101 }, (_, i) => i),
    id: Int32Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : i)),
    tokens: 4,
  };
  const options: SimulateOptions = {
    workers: [worker(64, 1e4, { base: 0.01, perSequence: 1e-3 })],
    clock: "seconds",
    routing: inTurn,
  };
  const { summary } = await simulate({ ...trace, blocks }, { ...options, warmUp: 500 });
  expect(summary.tpot.mean).toBeCloseTo(0.011, 10);
  expect(summary.itl.mean).toBeCloseTo(0.011, 10);
  expect(summary.prefixHit).toBe(0);
  const late = await simulate({ ...trace, blocks }, { ...options, warmUp: 1e6 });
  expect(late.summary).toMatchObject({ requests: 0, completed: 0 });
  expect(late.summary.itl.mean).toBeNaN();
});

test("the warm-up counts in no figure", async () => {
  const trace = randomTrace(5, 2000, 5000);
  const options: SimulateOptions = { workers: [{ slots: 8, kvTokens: 1000 }], clock: "rounds", routing: inTurn };
  const { finish } = await simulate(trace, options);
  const { summary } = await simulate(trace, { ...options, warmUp: 1000 });
  const counted = [...finish.keys()].filter((id) => trace.arrival[id] >= 1000);
  const mean = counted.reduce((sum, id) => sum + finish[id] - trace.arrival[id], 0) / counted.length;
  expect(summary).toMatchObject({ from: 1000, requests: counted.length });
  expect(summary.latency.mean).toBeCloseTo(mean, 8);
  expect(counted.length).toBeLessThan(1700);
});

test("the same seed gives the same, to the last bit; series and gaps are bounded", async () => {
  const trace = randomTrace(7, 3000, 30_000);
  const workers = Array.from({ length: 3 }, () => worker(8, 1000, { base: 0.01, perKvToken: 1e-4 }));
  const run = () => simulate(trace, { workers, clock: "seconds", routing: inTurn, prediction: { factor: 2 }, seed: 5 });
  const [one, other] = [await run(), await run()];
  expect(other).toEqual(one);
  expect(one.series.time.length).toBeLessThanOrEqual(2048);
  expect(one.series.time.length).toBeGreaterThan(1000);
  expect(one.summary.itl.p50 / one.summary.tpot.p50).toBeCloseTo(1, 1);
});

test("an empty trace is served at once", async () => {
  const { summary, start } = await simulate(traceOf([], [], []), {
    workers: [{ slots: 1, kvTokens: 1 }],
    clock: "rounds",
    routing: inTurn,
  });
  expect(start).toHaveLength(0);
  expect(summary).toMatchObject({ requests: 0, completed: 0, makespan: 0 });
});

test("progress is told, an abort ends it, and timers get through", async () => {
  const trace = randomTrace(9, 60_000, 300_000);
  const workers = [{ slots: 8, kvTokens: 1000 }];
  const shares: number[] = [];
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await simulate(trace, { workers, clock: "rounds", routing: inTurn, onProgress: (share) => shares.push(share) });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(0);
  expect(shares.length).toBeGreaterThan(1);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
  const controller = new AbortController();
  const stopped = simulate(trace, { workers, clock: "rounds", routing: inTurn, signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 5);
  await expect(stopped).rejects.toThrow("enough");
  await expect(
    simulate(trace, { workers, clock: "rounds", routing: inTurn, signal: AbortSignal.abort() }),
  ).rejects.toThrow();
});
