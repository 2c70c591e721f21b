import { expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inTurn } from "./policies.ts";

const good: Trace = {
  requests: 2,
  arrival: Float64Array.of(0, 1),
  input: Int32Array.of(5, 5),
  output: Int32Array.of(5, 5),
};
const stepTime = { base: 1, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };
const worker = { slots: 2, kvTokens: 20, stepTime };
const options: SimulateOptions = { workers: [worker], clock: "seconds", routing: inTurn };

test("what the others are changed from is simulated", async () => {
  expect((await simulate(good, options)).summary.completed).toBe(2);
});

// biome-ignore lint/suspicious/noExplicitAny: what a caller without types may give
const badOptions: [string, any, string][] = [
  ["workers", { workers: [] }, "an array of at least one worker, got Array of length 0"],
  ["workers", { workers: 8 }, "an array of at least one worker, got 8"],
  ["workers[1].slots", { workers: [worker, { ...worker, slots: 0 }] }, "an integer >= 1, got 0"],
  ["workers[0].slots", { workers: [{ ...worker, slots: Number.POSITIVE_INFINITY }] }, "an integer >= 1, got Infinity"],
  ["workers[0].kvTokens", { workers: [{ ...worker, kvTokens: 0.5 }] }, "an integer from 1"],
  ["workers[0]", { workers: [{ ...worker, slot: 3 }] }, "only slots, kvTokens, stepTime"],
  ["workers[0].stepTime", { workers: [{ slots: 1, kvTokens: 20 }] }, 'as the clock is "seconds", got undefined'],
  [
    "workers[0].stepTime.base",
    { workers: [{ ...worker, stepTime: { ...stepTime, base: -1 } }] },
    "a number >= 0, got -1",
  ],
  [
    "workers[0].stepTime.perContext",
    { workers: [{ ...worker, stepTime: { ...stepTime, perContext: undefined } }] },
    "got undefined",
  ],
  ["workers[0].stepTime", { workers: [{ ...worker, stepTime: { ...stepTime, base: 0 } }] }, "a step must last"],
  ["clock", { clock: "minutes" }, '"rounds" or "seconds", got "minutes"'],
  ["routing", { routing: undefined }, "a policy"],
  ["routing", { routing: () => inTurn }, "Call it: it makes a policy."],
  ["scheduling", { scheduling: "fcfs" }, "a policy"],
  ["barrier", { barrier: 1 }, "true or false"],
  ["prefill", { prefill: 512 }, '"whole", { chunk } or { pool, bandwidth }'],
  ["prefill.chunk", { prefill: { chunk: 0 } }, "an integer >= 1"],
  ["prefill", { prefill: { chunks: 3 } }, "only chunk"],
  ["prefill.pool", { prefill: { pool: [], bandwidth: 1 } }, "at least one worker"],
  ["prefill.bandwidth", { prefill: { pool: [worker], bandwidth: 0 } }, "> 0, got 0"],
  ["arrivals", { arrivals: "poisson" }, '"replay" or { pool }'],
  ["arrivals.pool", { arrivals: { pool: -1 } }, "an integer >= 1"],
  ["staleness", { staleness: -1 }, "a number >= 0"],
  ["staleness", { staleness: 0.1, arrivals: { pool: 4 } }, "0 with a closed pool"],
  ["tooLarge", { tooLarge: "drop" }, '"error" or "reject"'],
  ["slo", { slo: {} }, "ttft, tpot or both"],
  ["slo.tpot", { slo: { tpot: Number.NaN } }, "a number >= 0"],
  ["warmUp", { warmUp: "1" }, "a number >= 0"],
  ["seed", { seed: 0.5 }, "an integer"],
  ["prediction", { prediction: "perfect" }, '"none", "exact"'],
  ["prediction.factor", { prediction: { factor: 0.5 } }, "a number >= 1"],
  ["prediction.interval", { prediction: { interval: [5, 2] } }, "1 <= l <= u"],
  ["prediction.bins", { prediction: { bins: 0 } }, "an integer >= 1"],
  ["prediction", { prediction: { bins: 5, factor: 2 } }, '"none", "exact"'],
  ["eviction", { eviction: "swap" }, '"restart" or "recompute"'],
  ["slo[1].ttft", { slo: [{ ttft: 1 }, { ttft: -1 }] }, "a number >= 0"],
  ["slo", { slo: [] }, "those of a class at least"],
  ["slo", { slo: [{ ttft: 1 }] }, "as the trace has no classes"],
  ["prediction", { prediction: null }, "got null"],
  ["signal", { signal: {} }, "an AbortSignal"],
  ["onProgress", { onProgress: 5 }, "a function, got 5"],
  ["options", { routes: inTurn }, "Did you mean routing?"],
];

test.each(badOptions)("%s", async (argument, changes, message) => {
  const error = await simulate(good, { ...options, ...changes }).catch((reason) => reason);
  expect(error).toBeInstanceOf(ArgumentError);
  expect(error.argument).toBe(argument);
  expect(error.message).toContain(message);
});

// biome-ignore lint/suspicious/noExplicitAny: what a caller without types may give
const badTraces: [string, any, string][] = [
  ["trace", undefined, "an object"],
  ["trace.requests", { ...good, requests: -1 }, "an integer >= 0"],
  ["trace.arrival", { ...good, arrival: Float64Array.of(0) }, "2 values, got 1"],
  ["trace.arrival[1]", { ...good, arrival: Float64Array.of(1, 0.5) }, "no earlier than the one before it, 1, got 0.5"],
  ["trace.arrival[0]", { ...good, arrival: Float64Array.of(Number.NaN, 0) }, "finite and >= 0, got NaN"],
  ["trace.input[1]", { ...good, input: Int32Array.of(5, -3) }, "an integer from 1 to 2^31 - 1, got -3"],
  ["trace.output[0]", { ...good, output: Int32Array.of(0, 3) }, "an integer from 1 to 2^31 - 1, got 0"],
  ["trace.output", { ...good, output: "5 5" }, "an array or TypedArray of numbers"],
  ["trace.session[0]", { ...good, session: Int32Array.of(-2, 0) }, "an integer >= -1"],
  ["trace.class[1]", { ...good, class: Int32Array.of(0, -1) }, "an integer >= 0"],
  ["trace.value[0]", { ...good, value: Float64Array.of(-1, 0) }, "finite and >= 0"],
  [
    "trace.blocks.tokens",
    { ...good, blocks: { start: Int32Array.of(0, 0, 0), id: Int32Array.of(), tokens: 0 } },
    "an integer >= 1",
  ],
  [
    "trace.blocks.start[2]",
    { ...good, blocks: { start: Int32Array.of(0, 1, 3), id: Int32Array.of(1, 2), tokens: 4 } },
    "an integer from 1 to 2",
  ],
  [
    "trace.blocks.id[0]",
    { ...good, blocks: { start: Int32Array.of(0, 1, 1), id: Int32Array.of(-1), tokens: 4 } },
    "an integer >= 0",
  ],
  ["trace", { ...good, outputs: good.output }, "Did you mean output?"],
];

test.each(badTraces)("%s", async (argument, trace, message) => {
  const error = await simulate(trace, options).catch((reason) => reason);
  expect(error).toBeInstanceOf(message.includes("values, got") ? ShapeError : ArgumentError);
  expect(error.argument).toBe(argument);
  expect(error.message).toContain(message);
});

test("a request that is larger than the memory is an error, or is rejected and counted", async () => {
  const trace = { ...good, input: Int32Array.of(5, 16) };
  await expect(simulate(trace, options)).rejects.toThrow(
    'trace, request 1: expected 16 + 5 KV tokens at its end within the memory of worker 0, 20, got 21. tooLarge: "reject" counts such requests.',
  );
  const { summary, start, worker: where } = await simulate(trace, { ...options, tooLarge: "reject" });
  expect(summary).toMatchObject({ requests: 2, completed: 1, rejected: 1 });
  expect([start[1], where[1]]).toEqual([-1, -1]);
});

test("with unequal memories every worker must hold every request, since no policy knows its output; or it is rejected where it does not fit", async () => {
  const workers = [worker, { ...worker, kvTokens: 9 }];
  await expect(simulate(good, { ...options, workers })).rejects.toThrow("within the memory of worker 1, 9, got 10.");
  const { summary, start, worker: where } = await simulate(good, { ...options, workers, tooLarge: "reject" });
  expect(summary).toMatchObject({ completed: 1, rejected: 1 });
  expect([...start, ...where]).toEqual([0, -1, 0, -1]);
});

// biome-ignore lint/suspicious/noExplicitAny: what a policy without types may be
const badPolicies: [string, any, string][] = [
  ["routing.create()", { routing: { name: "none", create: () => ({}) } }, "an object with arrived, assign"],
  ["routing.create()", { routing: { name: "none", create: () => null } }, "an object with arrived, assign"],
  ["scheduling.create()", { scheduling: { name: "none", create: () => ({ arrived() {} }) } }, "arrived, admit, evict"],
  ...[undefined, Number.NaN, -1, 1e6, Promise.resolve(0)].map((count): [string, object, string] => [
    "routing.assign()",
    { routing: { name: "odd", create: () => ({ arrived() {}, assign: () => count }) } },
    "how many it has set, an integer from 0 to",
  ]),
  [
    "scheduling.admit()",
    { scheduling: { name: "odd", create: () => ({ arrived() {}, admit: () => 0.5, evict: () => 0 }) } },
    "an integer from 0 to 3",
  ],
];

test.each(badPolicies)("%s", async (argument, changes, message) => {
  const error = await simulate(good, { ...options, ...changes }).catch((reason) => reason);
  expect(error).toBeInstanceOf(ArgumentError);
  expect(error.argument).toBe(argument);
  expect(error.message).toContain(message);
});
