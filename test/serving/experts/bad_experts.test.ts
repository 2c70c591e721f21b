import { expect, test } from "vitest";
import { ArgumentError } from "../../../src/index.ts";
import type { ExpertParallelism } from "../../../src/serving/experts/expert_parallelism.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { inTurn } from "../simulator/policies.ts";

const trace = {
  ...{ requests: 1, arrival: Float64Array.of(0), input: Int32Array.of(1), output: Int32Array.of(1) },
};
const stepTime = { base: 1, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };
const experts: ExpertParallelism = {
  history: { loads: [1, 2, 3, 4], steps: 1, layers: 2, experts: 2 },
  ...{ placement: { gpus: 2, physicalToLogical: [0, 1] }, balance: "time", topK: 1 },
  cost: { model: "affine", perExpert: 1, perToken: 0 },
};
const options: SimulateOptions = {
  ...{ workers: [{ slots: 1, kvTokens: 9, stepTime }], clock: "seconds", routing: inTurn, barrier: true },
  experts,
};

// biome-ignore lint/suspicious/noExplicitAny: what callers without types bring
const wrong: [string, any, string][] = [
  [
    "no barrier",
    { barrier: undefined },
    "barrier: expected true with experts, as a layer ends for all at once, got false.",
  ],
  ["rounds", { clock: "rounds" }, 'clock: expected "seconds" with experts, as a round has no time, got "rounds".'],
  ["no object", { experts: null }, "experts: expected an object, got null."],
];
// biome-ignore lint/suspicious/noExplicitAny: what callers without types bring
const wrongExperts: [string, any, string][] = [
  ["an unknown field", { balanced: "time" }, "Did you mean balance?"],
  [
    "no balance",
    { balance: undefined },
    'experts.balance: expected "none" or "even" or "tokens" or "time" or "bound", got undefined.',
  ],
  ["another balance", { balance: "best" }, 'got "best".'],
  ["a fraction of an expert", { topK: 1.5 }, "experts.topK: expected an integer >= 1, got 1.5."],
  ["a unit of 0 s", { costUnit: 0 }, "experts.costUnit: expected s, > 0, got 0."],
  ["a row before the first", { firstRow: -1 }, "experts.firstRow: expected an integer >= 0, got -1."],
  [
    "no cost",
    { cost: undefined },
    "experts.cost: expected { model, perExpert, perToken } or { tokens, time }, got undefined.",
  ],
  ["a cost below 0", { cost: { model: "affine", perExpert: -1, perToken: 0 } }, "experts.cost.perExpert"],
  [
    "no history",
    { history: undefined },
    "history: expected an object { loads, steps, layers, experts }, got undefined.",
  ],
  [
    "a history that is too short",
    { history: { ...experts.history, steps: 2 } },
    "history.loads: expected steps * layers * experts = 2 * 2 * 2 = 8 values, got 4.",
  ],
  ["a load below 0", { history: { ...experts.history, loads: [1, 2, -3, 4] } }, "history.loads[2]"],
  [
    "no tokens at all",
    { history: { ...experts.history, loads: [0, 0, 0, 0] } },
    "experts.history.loads: expected at least one step with tokens, got 0.",
  ],
  ["no placement", { placement: [] }, "experts.placement: expected 1 placement, or 2, one per layer, got 0."],
  [
    "three placements of two layers",
    { placement: Array(3).fill(experts.placement) },
    "experts.placement: expected 1 placement, or 2, one per layer, got 3.",
  ],
  ["something else", { placement: 7 }, "experts.placement[0]: expected a Placement, got 7."],
  [
    "unequal placements",
    { placement: [experts.placement, { gpus: 1, physicalToLogical: [0, 1] }] },
    "experts.placement[1].gpus: expected 2 as in the first, got 1.",
  ],
  [
    "other experts",
    { placement: { gpus: 2, physicalToLogical: [0, 1, 2, 0] } },
    "experts.placement: expected placements of history.experts = 2 experts, got 3.",
  ],
  [
    "a lost expert",
    { placement: { gpus: 2, physicalToLogical: [0, -1], logicalExperts: 2 } },
    'experts.placement[0]: expected a slot for expert 1, got "none".',
  ],
];

test.each(wrong)("%s", async (_, changed, message) => {
  const error = await simulate(trace, { ...options, ...changed }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as Error).message).toContain(message);
});

test.each(wrongExperts)("%s", async (_, changed, message) => {
  const given = { ...options, experts: { ...experts, ...changed } };
  const error = await simulate(trace, given).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as Error).message).toContain(message);
});

test("more tokens than can be counted", async () => {
  const given = { ...options, experts: { ...experts, topK: 2 ** 24 } };
  const long = { ...trace, input: Int32Array.of(200) };
  const workers = [{ slots: 1, kvTokens: 999, stepTime }];
  await expect(simulate(long, { ...given, workers })).rejects.toThrow(
    "experts: expected at most 2147483647 tokens x topK",
  );
});

test("nothing is wrong with what they are made from", async () => {
  const { summary } = await simulate(trace, options);
  expect(summary).toMatchObject({ makespan: 3, expertTime: 2 });
});
