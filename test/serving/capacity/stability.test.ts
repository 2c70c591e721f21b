import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { stability } from "../../../src/serving/capacity/stability.ts";
import { chunkedTokenSteps } from "../../../src/serving/capacity/token_steps.ts";
import { leastKv } from "../../../src/serving/routing/least_kv.ts";
import { fcfs } from "../../../src/serving/scheduling/fcfs.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { refused } from "./refused.ts";

const uniform = (random: Random, least: number, most: number) => least + random.below(most - least + 1);

function mix(inputs: readonly [number, number], outputs: readonly [number, number], seed = 1, n = 40_000) {
  const random = seeded(seed);
  const input = Int32Array.from({ length: n }, () => uniform(random, ...inputs));
  return { input, output: Int32Array.from({ length: n }, () => uniform(random, ...outputs)) };
}

/** By playing the request through, step by step. */
function playedTokenSteps(input: number, output: number, chunk: number): number {
  let sum = 0;
  for (let held = 0; held < input; ) sum += held = Math.min(input, held + chunk);
  for (let made = 1; made <= output; made++) sum += input + made;
  return sum;
}

describe("token-steps of a request", () => {
  test("are those of a request that is played through", () => {
    const random = seeded(7);
    for (let k = 0; k < 500; k++) {
      const [input, output, chunk] = [uniform(random, 1, 3000), uniform(random, 1, 500), uniform(random, 1, 1024)];
      expect(chunkedTokenSteps(input, output, chunk)).toBe(playedTokenSteps(input, output, chunk));
      expect(chunkedTokenSteps(input, output, Number.POSITIVE_INFINITY)).toBe(playedTokenSteps(input, output, input));
    }
    expect(chunkedTokenSteps(1600, 1, 512)).toBe(6273);
  });

  test("are the paper's for multiples of the chunk", () => {
    for (const k of [1, 2, 5]) {
      const [s, o] = [512 * k, 77];
      expect(chunkedTokenSteps(s, o, 512)).toBe(((1 + s / 512) * s) / 2 + s * o + ((1 + o) * o) / 2);
    }
  });

  test("are exact for large ones", () => {
    const [s, o] = [2 ** 20 + 1, 2 ** 20 - 1];
    const c = 3n;
    const before = (BigInt(s) + c - 1n) / c - 1n;
    const exact =
      (c * before * (before + 1n)) / 2n + BigInt(s) + BigInt(s) * BigInt(o) + (BigInt(o) * BigInt(o + 1)) / 2n;
    expect(BigInt(chunkedTokenSteps(s, o, 3))).toBe(exact);
  });

  test.each([
    [0, 1, 1],
    [1, 0, 1],
    [1.5, 1, 1],
    [1, 2 ** 31, 1],
    [Number.NaN, 1, 1],
    [1, 1, 0],
    [1, 1, 2.5],
    [1, 1, Number.NaN],
  ])("of %d, %d by %d there are none", (s, o, chunk) => {
    expect(() => chunkedTokenSteps(s, o, chunk)).toThrow(ArgumentError);
  });
});

describe("what a worker can serve", () => {
  test.each([
    { name: "1:1", lengths: mix([10, 1600], [10, 1600]), expected: 1.08e6 },
    { name: "2:1", lengths: mix([10, 2133], [10, 1066]), expected: 7.7e5 },
    { name: "1:2", lengths: mix([10, 1066], [10, 2133]), expected: 1.339e6 },
  ])("E[g] of the paper's uniform mix $name within 2 %", ({ lengths, expected }) => {
    const { meanTokenSteps, mu, delta } = stability(lengths, { kvTokens: 131_000, chunk: 512, meanStep: 0.0372 });
    expect(Math.abs(meanTokenSteps / expected - 1)).toBeLessThan(0.02);
    expect(mu).toBeCloseTo(131_000 / (0.0372 * meanTokenSteps), 10);
    expect(delta).toBeCloseTo(3199 / 131_000, 3);
  });

  test("b is the fixed point of a full memory: what begins per step by b is what mu says", () => {
    const lengths = mix([10, 400], [10, 400]);
    const stepTime = { base: 0.01, perSequence: 1e-4, perKvToken: 3e-7, perPrefillToken: 2e-5, perContext: 1e-9 };
    const kvTokens = 20_000;
    const { meanStep, mu, stableBelow, delta } = stability(lengths, { kvTokens, stepTime });
    const mean = (of: (s: number, o: number) => number) =>
      lengths.input.reduce((sum, s, i) => sum + of(s, lengths.output[i]), 0) / lengths.input.length;
    const begin = mu * meanStep; // requests that begin, and end, in a step
    const prompt = mean((s) => 2e-5 * s + (1e-9 * s * s) / 2);
    expect(meanStep).toBeCloseTo(0.01 + 3e-7 * kvTokens + begin * (1e-4 * mean((_, o) => o) + prompt), 10);
    expect(stableBelow).toBeCloseTo(mu * (1 - delta), 12);
  });

  test("what it does not understand is refused", () => {
    const lengths = { input: [10], output: [5] };
    refused(() => stability(lengths, { kvTokens: 14, meanStep: 1 }), "kvTokens", "at least the 15 tokens");
    refused(() => stability(lengths, { kvTokens: 0, meanStep: 1 }), "kvTokens");
    refused(() => stability(lengths, { kvTokens: 100 }), "options", "either meanStep or stepTime");
    refused(() => stability(lengths, { kvTokens: 100, meanStep: 0 }), "meanStep");
    refused(() => stability(lengths, { kvTokens: 100, meanStep: Number.NaN }), "meanStep");
    refused(() => stability(lengths, { kvTokens: 100, meanStep: 1, chunk: -1 }), "chunk");
    refused(
      () => stability(lengths, { kvTokens: 100, meanStep: 1, chunks: 2 } as never),
      "options",
      "Did you mean chunk",
    );
    refused(() => stability({ input: [1.5], output: [1] }, { kvTokens: 100, meanStep: 1 }), "lengths.input[0]");
    expect(() => stability({ input: [], output: [] }, { kvTokens: 100, meanStep: 1 })).toThrow(ShapeError);
    expect(() => stability({ input: [1], output: [1, 2] }, { kvTokens: 100, meanStep: 1 })).toThrow(ShapeError);
  });
});

describe("the threshold, simulated: M = 20,000, s and o uniform from 10 to 400, chunk 512", () => {
  const kvTokens = 20_000;
  const lengths = mix([10, 400], [10, 400]);
  const { mu, delta } = stability(lengths, { kvTokens, chunk: 512, meanStep: 1 });

  /** Queue and throughput of a seed each. */
  async function at(load: number, seeds: readonly number[]) {
    const requests = Math.round(60_000 * load * mu);
    const runs = seeds.map(async (seed) => {
      const trace = generateTrace({ requests, seed, rate: load * mu, lengths });
      const { summary } = await simulate(trace, {
        workers: [{ slots: 1e6, kvTokens }],
        ...{ clock: "rounds", routing: leastKv(), scheduling: fcfs({ admission: "future" }), prediction: "exact" },
        ...{ prefill: { chunk: 512 }, warmUp: 5000 },
      });
      // Of what was drawn, whose mean is some tenths of a percent off.
      const drawn = stability(trace, { kvTokens, chunk: 512, meanStep: 1 }).mu;
      return { queue: summary.queue, served: summary.requestThroughput / drawn };
    });
    return await Promise.all(runs);
  }

  // Of 60,000 rounds' queue another seed makes a half or twice as much, so near is it to saturation.
  test.each([
    { load: 0.8, queue: 0.3 },
    { load: 0.9, queue: 2.4 },
    { load: 0.95, queue: 9.6 },
  ])(
    "below mu (1 - delta) it is stable: the queue at $load mu is an independent simulator's $queue, as near as seeds agree",
    async ({ load, queue }) => {
      expect(load).toBeLessThan(1 - delta);
      const runs = await at(load, [1, 2, 3, 4]);
      const queues = runs.map((run) => run.queue);
      expect(Math.min(...queues)).toBeLessThan(queue);
      expect(Math.max(...queues)).toBeGreaterThan(queue);
      for (const { served } of runs) expect(Math.abs(served / load - 1)).toBeLessThan(0.03);
    },
  );

  test("above mu the queue grows with what is too much, and 0.99 mu is served", async () => {
    for (const load of [1.05, 1.2]) {
      for (const { queue, served } of await at(load, [1, 2])) {
        expect(Math.abs(served - 0.99)).toBeLessThan(0.01);
        expect(queue / (((load - 0.985) * mu * 60_000) / 2)).toBeGreaterThan(0.7);
      }
    }
  });
});
