/** Steps of the simulator whose MoE layers take time. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { type LoadHistory, Placement } from "../../../src/index.ts";
import type { ExpertParallelism } from "../../../src/serving/experts/expert_parallelism.ts";
import type { Balance } from "../../../src/serving/experts/layer_time.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { StepTime } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inTurn } from "../simulator/policies.ts";

const traceOf = (arrival: number[], input: number[], output: number[]): Trace => ({
  requests: arrival.length,
  arrival: Float64Array.from(arrival),
  input: Int32Array.from(input),
  output: Int32Array.from(output),
});
const worker = (stepTime: Partial<StepTime>, slots = 8) => ({
  ...{ slots, kvTokens: 1e6 },
  stepTime: { base: 0, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0, ...stepTime },
});
const behindBarrier = { clock: "seconds", barrier: true, routing: inTurn } as const;

/** Requests that come at random and are served by three workers, with experts at random. */
function instance(seed: number, span: number) {
  const random = seeded(seed);
  const requests = 40;
  const drawn = (n: number) => Array.from({ length: requests }, () => 1 + random.below(n));
  const arrival = Array.from({ length: requests }, () => span * random.next()).sort((a, b) => a - b);
  const [steps, layers, experts] = [7, 3, 8];
  const loads = Array.from({ length: steps * layers * experts }, () => random.below(60));
  const map = [...Array(experts).keys(), ...Array.from({ length: 4 }, () => random.below(experts))];
  const history: LoadHistory = { loads, steps, layers, experts };
  return {
    trace: traceOf(arrival, drawn(30), drawn(40)),
    workers: [worker({ base: 1e-3, perKvToken: 1e-6 }, 4), worker({ base: 2e-3 }, 4), worker({ base: 1e-3 }, 4)],
    placement: Placement.fromPhysicalToLogical(random.shuffle(map), { gpus: 4 }),
    history,
  };
}

describe("by hand: two layers, four experts, the first of them on both GPUs", () => {
  const placement = { gpus: 2, physicalToLogical: [0, 1, 2, 3, 0], slotsPerGpu: [3, 2] };
  // Step 0 has 8 tokens and 16 assignments: 6 5 2 3 and 8 4 2 2. Step 1 has 2 and 4: 1 1 1 1, and no second layer.
  const loads = [
    [
      [12, 10, 4, 6],
      [8, 4, 2, 2],
    ],
    [
      [5, 5, 5, 5],
      [0, 0, 0, 0],
    ],
  ];
  const experts: Omit<ExpertParallelism, "balance"> = {
    history: { loads, steps: 2, layers: 2, experts: 4 },
    ...{ placement: [placement], topK: 2, costUnit: 0.5 },
    cost: { model: "roofline", perExpert: 3, perToken: 1 },
  };
  const workers = [worker({ base: 1 }), worker({ base: 2 })];
  const trace = traceOf([0, 0], [5, 3], [2, 2]);

  // c = max(3, x). By time expert 0 stays whole on GPU 1 in the first layer: 5 + 3 and 6 + 3; by tokens one token of it goes to GPU 0.
  test.each<[Balance, number, number]>([
    ["none", 14 + 15, 9],
    ["even", 11 + 11, 6],
    ["tokens", 11 + 10, 6],
    ["time", 9 + 10, 6],
    ["bound", (6 + 5 + 3 + 3) / 2 + (8 + 4 + 3 + 3) / 2, 6],
  ])("%s", async (balance, first, second) => {
    const given = { ...behindBarrier, workers, experts: { ...experts, balance } };
    const { firstToken, finish, summary } = await simulate(trace, given);
    expect([...firstToken]).toEqual([2 + first / 2, 2 + first / 2]);
    expect([...finish]).toEqual([4 + first / 2 + second / 2, 4 + first / 2 + second / 2]);
    expect(summary).toMatchObject({ steps: 2, expertTime: (first + second) / 4 });
  });

  test("the row of step 0 can be another, and after the last comes the first; rows without tokens are none", async () => {
    const blank = [
      loads[0],
      [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
      loads[1],
    ];
    for (const history of [experts.history, { ...experts.history, loads: blank, steps: 3 }]) {
      const { firstToken, finish } = await simulate(trace, {
        ...{ ...behindBarrier, workers },
        experts: { ...experts, history, balance: "none", firstRow: 3 },
      });
      expect(firstToken[0]).toBe(2 + 12 / 2); // 16 assignments, 4 of each expert: 4 + 4 + 4
      expect(finish[0]).toBe(firstToken[0] + 2 + (6 + 9) / 2); // 4 assignments: 2 1 0 1 and 2 1 1 0
    }
  });

  test("a worker behind a barrier of its own: chunks and waiting requests, step by step", async () => {
    const linear = { model: "roofline", perExpert: 0, perToken: 1 } as const;
    const { firstToken, finish } = await simulate(traceOf([0, 0], [5, 3], [3, 1]), {
      ...{ ...behindBarrier, workers: [worker({ base: 1 })], prefill: { chunk: 4 } },
      experts: {
        ...{ history: { loads: [1], steps: 1, layers: 1, experts: 1 }, cost: linear, balance: "time", topK: 10 },
        placement: { gpus: 1, physicalToLogical: [0] },
      },
    });
    // 4 prompt tokens; then 1 + 3 of both; then the first alone, twice.
    expect([...firstToken]).toEqual([41 + 41, 41 + 41]);
    expect([...finish]).toEqual([82 + 11 + 11, 82]);
  });
});

test("every token passes through the experts once: where time is in proportion, they take so much in all", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { trace, workers, history } = instance(seed, 0);
    const base = workers.map(({ slots }) => worker({ base: 1e-3 }, slots));
    const { summary } = await simulate(trace, {
      ...{ ...behindBarrier, workers: base, prefill: seed % 2 === 0 ? "whole" : { chunk: 7 } },
      experts: {
        ...{ history, balance: "time", topK: 3, costUnit: 1e-6 },
        placement: { gpus: 1, physicalToLogical: [0, 1, 2, 3, 4, 5, 6, 7] },
        cost: { model: "affine", perExpert: 0, perToken: 2 },
      },
    });
    // A prompt's last token makes the first of the output.
    const tokens = trace.input.reduce((sum, input, id) => sum + input + trace.output[id] - 1, 0);
    expect(summary.makespan, `seed ${seed}`).toBeCloseTo(summary.steps * 1e-3 + tokens * 3 * history.layers * 2e-6, 9);
  }
});

test("decoding alone: the same as a step time per sequence", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { trace, history } = instance(seed, 0.5);
    const prefill = { pool: [worker({ base: 1e-3, perPrefillToken: 1e-5 })], bandwidth: 1e4 };
    const stepTime = { base: 1e-3, perKvToken: 1e-6 };
    const options = { ...behindBarrier, prefill };
    const perSequence = 3 * history.layers * 2e-6;
    const plain = await simulate(trace, { ...options, workers: [worker({ ...stepTime, perSequence }, 5)] });
    const coupled = await simulate(trace, {
      ...{ ...options, workers: [worker(stepTime, 5)] },
      experts: {
        ...{ history, balance: "tokens", topK: 3 },
        placement: { gpus: 1, physicalToLogical: [0, 1, 2, 3, 4, 5, 6, 7] },
        cost: { model: "affine", perExpert: 0, perToken: 2e-6 },
      },
    });
    for (let id = 0; id < trace.requests; id++)
      expect(coupled.finish[id], `seed ${seed}`).toBeCloseTo(plain.finish[id], 9);
    expect(coupled.summary.steps, `seed ${seed}`).toBe(plain.summary.steps);
  }
});

test("by time no later than by tokens or evenly, and never before the bound", async () => {
  let sooner = 0;
  for (let seed = 1; seed <= 40; seed++) {
    // All come at once: then what the steps have in them does not hang on how long they take.
    const { trace, workers, placement, history } = instance(seed, 0);
    const makespan = async (balance: Balance) => {
      const cost = { model: "roofline", perExpert: 1e-3, perToken: 1e-4 } as const;
      const experts = { history, placement, balance, cost, topK: 2, firstRow: seed };
      return (await simulate(trace, { ...behindBarrier, workers, experts })).summary.makespan;
    };
    const [even, tokens, time, bound] = await Promise.all(
      (["even", "tokens", "time", "bound"] as const).map((balance) => makespan(balance)),
    );
    expect(time, `seed ${seed}`).toBeLessThanOrEqual(Math.min(even, tokens) + 1e-9);
    expect(bound, `seed ${seed}`).toBeLessThanOrEqual(time + 1e-9);
    if (time < 0.99 * tokens) sooner++;
  }
  expect(sooner).toBeGreaterThan(10);
});

test("the same again, and nothing of it without experts", async () => {
  const { trace, workers, placement, history } = instance(3, 0.2);
  const cost = { tokens: [1, 10], time: [2e-4, 4e-4] };
  const experts: ExpertParallelism = { history, placement, balance: "time", cost, topK: 2 };
  const options: SimulateOptions = { ...behindBarrier, workers };
  const one = await simulate(trace, { ...options, experts });
  expect(await simulate(trace, { ...options, experts })).toEqual(one);
  const without = await simulate(trace, options);
  expect(await simulate(trace, { ...options, experts: undefined })).toEqual(without);
  expect(without.summary.expertTime).toBeUndefined();
  expect(without.summary.makespan).toBeLessThan(one.summary.makespan);
});

test("timers run while experts are balanced, and a signal ends it", async () => {
  const random = seeded(1);
  const [steps, layers, experts] = [64, 48, 64];
  const loads = Float64Array.from({ length: steps * layers * experts }, () => random.next() ** 3);
  const map = Array.from({ length: experts + 16 }, (_, p) => p % experts);
  const many = Array.from({ length: 400 }, (_, id) => id);
  const trace = traceOf(
    many.map((id) => id * 0.01),
    many.map(() => 900 + random.below(1000)),
    many.map(() => 900 + random.below(1000)),
  );
  const shares: number[] = [];
  const done = simulate(trace, {
    ...{ ...behindBarrier, workers: [worker({ base: 1e-3 }, 64)], signal: AbortSignal.timeout(400) },
    onProgress: (share) => shares.push(share),
    experts: {
      ...{
        history: { loads, steps, layers, experts },
        placement: { gpus: 8, physicalToLogical: map },
        balance: "time",
      },
      ...{ cost: { model: "affine", perExpert: 1e-5, perToken: 1e-7 }, topK: 4 },
    },
  });
  await expect(done).rejects.toThrow(expect.objectContaining({ name: "TimeoutError" }));
  expect(shares.length).toBeGreaterThanOrEqual(2);
});
