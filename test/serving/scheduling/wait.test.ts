import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { waitThresholds } from "../../../src/serving/fluid.ts";
import { type NestedWaitOptions, nestedWait } from "../../../src/serving/scheduling/nested_wait.ts";
import { type WaitOptions, wait } from "../../../src/serving/scheduling/wait.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inTurn } from "../simulator/policies.ts";
import { plainFinish, plainNestedWait, plainWait } from "./plain_wait.ts";
import { type Arriving, mixedTrace } from "./traces.ts";

const rounds = { workers: [{ slots: 100, kvTokens: 10_000 }], clock: "rounds" as const, routing: inTurn };
const timed = (kvTokens: number, base: number, perKvToken: number): SimulateOptions["workers"] => [
  { slots: 5000, kvTokens, stepTime: { base, perKvToken, perSequence: 0, perPrefillToken: 0, perContext: 0 } },
];
const traceOf = (arrival: number[], output: number[], ofClass?: number[]): Trace => ({
  requests: arrival.length,
  arrival: Float64Array.from(arrival),
  input: new Int32Array(arrival.length).fill(4),
  output: Int32Array.from(output),
  ...(ofClass && { class: Int32Array.from(ofClass) }),
});

describe("WAIT by hand", () => {
  test("pairs begin together, and move on when the next pair begins", async () => {
    // The first pair makes a token at 1, the second at 3 and at 4, with the third pair, which has waited; the last one goes alone in the end.
    const trace = traceOf([0, 0, 1.5, 2, 3, 3, 3.5], [3, 3, 3, 3, 3, 3, 3]);
    const { start, finish, summary } = await simulate(trace, { ...rounds, scheduling: wait({ thresholds: [2] }) });
    expect([...start]).toEqual([0, 0, 2, 2, 3, 3, 4]);
    // At 4 there is no pair and nothing more comes: all go on.
    expect([...finish]).toEqual([4, 4, 5, 5, 6, 6, 7]);
    expect(summary).toMatchObject({ steps: 6, evictions: 0 });
  });

  test("classes move by themselves", async () => {
    // Class 0 goes by twos, class 1 alone.
    const trace = traceOf([0, 0, 0, 5, 6, 9], [2, 3, 4, 2, 2, 2], [0, 0, 1, 1, 0, 0]);
    const { start, finish } = await simulate(trace, { ...rounds, scheduling: wait({ thresholds: [2, 1] }) });
    expect([...start]).toEqual([0, 0, 0, 5, 9, 9]);
    // Request 2 rests from 1 to 5, has its second token at 6, and the others in the end; requests 0 and 1 go on at 9.
    expect([...finish]).toEqual([10, 11, 12, 11, 11, 11]);
  });
});

test("of more than n_j at a stage those that began first step", () => {
  const scheduler = wait({ thresholds: [2, 1] }).create({ slots: 10, kvTokens: 1000, seed: 0 });
  const view = (id: number, generated: number, of: number) => ({ id, arrival: 0, input: 4, generated, class: of });
  scheduler.arrived(view(7, 0, 0));
  scheduler.arrived(view(8, 0, 0));
  // At stage 5 three of class 0 and one of class 1, of which none waits.
  const running = [view(3, 5, 0), view(1, 5, 0), view(2, 6, 0), view(0, 5, 0), view(4, 5, 1)];
  const out = new Int32Array(5);
  const count = scheduler.rest!({ index: 0, freeSlots: 0, freeKv: 0, waiting: 2, running }, 1, out);
  expect([...out.subarray(0, count)]).toEqual([0, 4]);
});

describe("Nested WAIT by hand", () => {
  test("who outlives a segment waits at its end for company", async () => {
    const scheduling = nestedWait({ ends: [2, 4], thresholds: [2, 2] });
    // Pairs at 0, 3 and 6: of each pair one outlives 2 tokens. The survivors of the first two pairs go on with the third.
    const trace = traceOf([0, 0, 3, 3, 6, 6, 9, 9, 12, 12], [2, 4, 2, 4, 1, 1, 1, 1, 1, 1]);
    const { finish } = await simulate(trace, { ...rounds, scheduling });
    // First pair: tokens at 1 and 4. Second pair: 4 and 7. Its survivor joins the first's at the boundary: both step at 9, and once more when nothing more comes.
    expect([...finish]).toEqual([4, 14, 7, 14, 7, 7, 10, 10, 13, 13]);
  });
});

/** By seed: homogeneous classes, a step time that keeps up with them, some thresholds. */
function randomCase(seed: number) {
  const random = seeded(seed);
  const classes: Arriving[] = Array.from({ length: 1 + random.below(3) }, () => ({
    rate: 0.5 + 4 * random.next(),
    input: 1 + random.below(20),
    output: 1 + random.below(12),
  }));
  const trace = mixedTrace(classes, 20, seed);
  return { random, classes, trace, base: 0.05 + 0.1 * random.next(), perKvToken: 1e-4 * random.next() };
}

async function expectPlain(seed: number, policy: (random: Random, classes: Arriving[]) => Compared): Promise<void> {
  const { random, classes, trace, base, perKvToken } = randomCase(seed);
  const { scheduling, rule } = policy(random, classes);
  const workers = timed(1e6, base, perKvToken);
  const { finish, summary } = await simulate(trace, { workers, clock: "seconds", routing: inTurn, scheduling });
  const plain = plainFinish(trace, rule, base, perKvToken);
  // Times add up in another order: a rounding per request and step.
  const tolerance = summary.steps * trace.requests * 2 ** -52 * summary.makespan;
  for (const [id, time] of plain.entries())
    expect(Math.abs(finish[id] - time), `seed ${seed}, request ${id}`).toBeLessThanOrEqual(tolerance);
}
interface Compared {
  scheduling: ReturnType<typeof wait>;
  rule: ReturnType<typeof plainWait>;
}

describe("as the paper writes it down, in 100 random cases, every finish is that of", () => {
  test("WAIT", async () => {
    for (let seed = 0; seed < 100; seed++) {
      await expectPlain(seed, (random, classes) => {
        const thresholds = classes.map(() => 1 + random.below(4));
        return { scheduling: wait({ thresholds }), rule: plainWait(thresholds) };
      });
    }
  });

  test("Nested WAIT", async () => {
    for (let seed = 0; seed < 100; seed++) {
      await expectPlain(seed, (random, classes) => {
        const ends = [...new Set(classes.map(({ output }) => output))].sort((a, b) => a - b);
        // Some outlive the last segment.
        if (ends.length > 1 && random.next() < 0.3) ends.pop();
        const thresholds = ends.map(() => 1 + random.below(4));
        return { scheduling: nestedWait({ ends, thresholds }), rule: plainNestedWait(ends, thresholds) };
      });
    }
  });
});

test("WAIT needs M_pi and no more: nobody is evicted, in 40 random cases", async () => {
  let tight = 0;
  for (let seed = 0; seed < 40; seed++) {
    const { classes, trace, base } = randomCase(seed);
    const gamma = classes.reduce((sum, { rate, input, output }) => sum + rate * (output + 1) * (input + output / 2), 0);
    const options = { classes, base, perKvToken: (0.9 * seeded(seed).next()) / gamma };
    const { kvTokens } = waitThresholds(options);
    const workers = timed(kvTokens, base, options.perKvToken);
    const { summary, series } = await simulate(trace, {
      ...{ workers, clock: "seconds", routing: inTurn, scheduling: wait(options) },
    });
    expect(summary, `seed ${seed}`).toMatchObject({ completed: trace.requests, evictions: 0 });
    if (Math.max(...series.load) > kvTokens * 0.8) tight++;
  }
  expect(tight).toBeGreaterThan(20);
});

describe("no rule is broken and all are served, in 120 random cases with little memory", () => {
  const policies: [string, (random: Random) => ReturnType<typeof wait>][] = [
    ["WAIT", (random) => wait({ thresholds: [1, 2, 3].map(() => 1 + random.below(5)) })],
    [
      "Nested WAIT",
      (random) => nestedWait({ ends: [5, 10, 20], thresholds: [1, 2, 3].map(() => 1 + random.below(5)) }),
    ],
  ];
  test.each(policies)("%s", async (_, policy) => {
    const met = { evictions: 0 };
    for (let seed = 0; seed < 120; seed++) {
      const random = seeded(seed);
      const trace = mixedTrace(
        [0, 1, 2].map(() => ({ rate: 0.2 + random.next(), input: 1 + random.below(40), output: 1 + random.below(40) })),
        random.pick([20, 60]),
        seed,
        0.5,
      );
      const room = trace.input.reduce((most, input, id) => Math.max(most, input + trace.output[id]), 0);
      const stepTime = { base: 0.1, perSequence: 0.01, perKvToken: 1e-3, perPrefillToken: 1e-3, perContext: 1e-4 };
      const worker = () => ({ slots: 1 + random.below(12), kvTokens: room + random.below(100), stepTime });
      const { summary } = await simulate(trace, {
        workers: Array.from({ length: 1 + random.below(3) }, worker),
        clock: random.pick(["rounds", "seconds"]),
        prefill: random.pick<NonNullable<SimulateOptions["prefill"]>>([
          ...(["whole", { chunk: 7 }] as const),
          { pool: [{ ...worker(), kvTokens: room }], bandwidth: 1000 },
        ]),
        eviction: random.pick(["restart", "recompute"]),
        barrier: random.next() < 0.3,
        ...{ routing: inTurn, scheduling: policy(random) },
      });
      expect(summary.completed, `seed ${seed}`).toBe(trace.requests);
      if (summary.evictions > 0) met.evictions++;
    }
    expect(met.evictions).toBeGreaterThan(30);
  });
});

describe("refuses", () => {
  const bad: [string, unknown, ((o: never) => unknown)?][] = [
    ["options: expected an object, got undefined.", undefined],
    [
      'options: expected only classes, base, perKvToken, thresholds, got "threshold". Did you mean thresholds?',
      { threshold: [2] },
    ],
    ["options.thresholds: expected an array of at least one threshold, got Array of length 0.", { thresholds: [] }],
    ["options.thresholds[1]: expected an integer >= 1, got 0.", { thresholds: [1, 0] }],
    ["options.base: expected none beside thresholds, got 1.", { thresholds: [1], base: 1 }],
    ["options.classes: expected an array of at least one class, got undefined.", {}],
    [
      "options.ends: expected where segments end, as there are thresholds, got undefined.",
      { thresholds: [1] },
      nestedWait,
    ],
    ["options.thresholds: expected one per segment = 2 values, got 1.", { ends: [3, 4], thresholds: [1] }, nestedWait],
    ["options.ends[1]: expected an integer >= 4, got 3.", { ends: [3, 3], thresholds: [1, 1] }, nestedWait],
    ["options.ends: expected an array, got 3.", { ends: 3, thresholds: [1] }, nestedWait],
    ["options.input: expected none beside thresholds, got 2.", { ends: [3], thresholds: [1], input: 2 }, nestedWait],
    ["options.thresholds: expected an array of at least one threshold, got undefined.", { ends: [3] }, nestedWait],
  ];
  test.each(bad)("%s", (message, options, policy = wait) => {
    const call = () => policy(options as never);
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });

  test("a worker whose memory is too small for the rates", () => {
    const fluid = { base: 0.0115, perKvToken: 1.29e-6 };
    const policies = [
      wait({ ...fluid, classes: [{ rate: 60, input: 20, output: 100 }] } satisfies WaitOptions),
      nestedWait({ ...fluid, input: 20, classes: [{ rate: 60, output: 100 }] } satisfies NestedWaitOptions),
    ];
    for (const { create } of policies) {
      expect(() => create({ slots: 1000, kvTokens: 10_775, seed: 0 })).toThrow(
        "kvTokens: expected at least M_pi = 14140 KV tokens, which the least thresholds hold, got 10775. There is no WAIT for this budget.",
      );
      expect(() => create({ slots: 1000, kvTokens: 14_140, seed: 0 })).not.toThrow();
    }
  });

  test("a class without a threshold", async () => {
    const trace = traceOf([0], [1], [2]);
    await expect(simulate(trace, { ...rounds, scheduling: wait({ thresholds: [1, 1] }) })).rejects.toThrow(
      "class of request 0: expected one of the 2 that have thresholds, got 2.",
    );
  });
});
