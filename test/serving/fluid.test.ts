import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/common/errors.ts";
import { seeded } from "../../src/common/random.ts";
import {
  type FluidClass,
  type FluidOptions,
  fluidEquilibrium,
  type NestedFluidOptions,
  nestedWaitThresholds,
  waitThresholds,
} from "../../src/serving/fluid.ts";
import { fcfs } from "../../src/serving/scheduling/fcfs.ts";
import { simulate } from "../../src/serving/simulator/simulate.ts";
import { generateTrace } from "../../src/serving/trace/generate_trace.ts";
import { one, three } from "./fluids.ts";
import { inTurn } from "./simulator/policies.ts";

/** What a request holds, stage by stage. */
function heldOver({ input, output }: Pick<FluidClass, "input" | "output">, from = 0, to = output): number {
  let sum = 0;
  for (let stage = from; stage <= to; stage++) sum += input + stage;
  return sum;
}

describe("the equilibrium", () => {
  test("is the paper's of lmsys-chat-1m: d1 Gamma = 0.01130708 s and d0 Gamma = 298.838 s per request/s", () => {
    const tokenSteps = 101 * 70;
    const at = (rate: number) =>
      fluidEquilibrium({
        classes: [{ rate, input: 20, output: 100 }],
        base: 298.838 / tokenSteps,
        perKvToken: 0.01130708 / tokenSteps,
      });
    const given = { 50: 34_377, 60: 55_758, 70: 100_327, 80: 250_509 }; // some rounded, some cut off
    for (const [rate, kvTokens] of Object.entries(given))
      expect(Math.abs(at(Number(rate)).kvTokens - kvTokens), rate).toBeLessThan(1);
    // The rate limit is 1 / 0.01130708 = 88.44.
    expect(at(88.4)).toMatchObject({ stable: true });
    expect(at(88.5)).toMatchObject({ stable: false, kvTokens: Infinity, stepTime: Infinity });
  });

  test("is that of the two workloads of serving.md", () => {
    expect(Math.round(fluidEquilibrium(one).kvTokens)).toBe(10_774);
    expect(Math.round(fluidEquilibrium(three).kvTokens)).toBe(36_735);
  });

  test("is where a step holds what comes in its time", () => {
    for (const options of [one, three]) {
      const { gamma, kvTokens, stepTime } = fluidEquilibrium(options);
      expect(gamma).toBeCloseTo(
        options.classes.reduce((sum, c) => sum + c.rate * heldOver(c), 0),
        6,
      );
      expect(kvTokens).toBeCloseTo(gamma * stepTime, 6);
      expect(stepTime).toBeCloseTo(options.base + options.perKvToken * kvTokens, 12);
    }
  });

  test("is what a simulated worker with plenty of memory comes to", async () => {
    // A request of o + 1 tokens goes through the o + 1 stages: prefill makes its first.
    const lengths = { input: Int32Array.of(20), output: Int32Array.of(101) };
    const trace = generateTrace({ requests: 6000, seed: 1, rate: 60, lengths });
    const stepTime = { base: one.base, perKvToken: one.perKvToken, perSequence: 0, perPrefillToken: 0, perContext: 0 };
    const { summary } = await simulate(trace, {
      workers: [{ slots: 1000, kvTokens: 100_000, stepTime }],
      ...{ clock: "seconds", routing: inTurn, scheduling: fcfs(), warmUp: 10 },
    });
    const served = trace.requests / trace.arrival[trace.requests - 1];
    const { kvTokens, stepTime: seconds } = fluidEquilibrium({
      ...one,
      classes: [{ ...one.classes[0], rate: served }],
    });
    // 5400 requests in service one after another, 155 at once: the mean is within a few standard deviations of 1 / sqrt(5400).
    expect(Math.abs((summary.kvUse * 100_000) / kvTokens - 1)).toBeLessThan(3 / Math.sqrt(5400));
    expect(Math.abs(summary.itl.mean / seconds - 1)).toBeLessThan(3 / Math.sqrt(5400));
  });
});

function randomClasses(seed: number): FluidOptions {
  const random = seeded(seed);
  const classes = Array.from({ length: 1 + random.below(4) }, () => ({
    rate: 0.5 + 60 * random.next(),
    input: 1 + random.below(200),
    output: 1 + random.below(300),
  }));
  const gamma = classes.reduce((sum, c) => sum + c.rate * heldOver(c), 0);
  return { classes, base: 0.001 + 0.05 * random.next(), perKvToken: (0.98 * random.next()) / gamma };
}

/** Every candidate for tau after the other, as in the formula. */
function byTrial({ classes, base, perKvToken }: FluidOptions): { thresholds: number[]; kvTokens: number } {
  const gamma = classes.reduce((sum, c) => sum + c.rate * heldOver(c), 0);
  let tau = base / (1 - perKvToken * gamma);
  for (;;) {
    const thresholds = classes.map(({ rate }) => Math.ceil(rate * tau - 1e-9)); // n / lambda times lambda may be more than n
    const kvTokens = thresholds.reduce((sum, n, j) => sum + n * heldOver(classes[j]), 0);
    const stepTime = base + perKvToken * kvTokens;
    if (classes.every(({ rate }, j) => stepTime < thresholds[j] / rate)) return { thresholds, kvTokens };
    tau = Math.min(...classes.map(({ rate }) => (Math.floor(rate * tau + 1e-9) + 1) / rate));
  }
}

describe("WAIT's thresholds", () => {
  test("are 2, and 3, 2, 1", () => {
    const first = waitThresholds(one);
    expect(first).toMatchObject({ thresholds: [2], kvTokens: 14_140 });
    expect(first.stepTime).toBeCloseTo(0.0115 + 1.29e-6 * 14_140, 12);
    expect(waitThresholds(three)).toMatchObject({ thresholds: [3, 2, 1], kvTokens: 120_620 });
  });

  test("are the first that are enough, in 300 random cases", () => {
    let several = 0;
    for (let seed = 0; seed < 300; seed++) {
      const options = randomClasses(seed);
      const { thresholds, kvTokens } = waitThresholds(options);
      expect({ thresholds, kvTokens }, `seed ${seed}`).toEqual(byTrial(options));
      if (thresholds.some((n) => n > 1)) several++;
    }
    expect(several).toBeGreaterThan(200);
  });

  test("leave a little: where n come in the very time of a step, one more is asked for", () => {
    expect(waitThresholds({ classes: [{ rate: 4, input: 8, output: 8 }], base: 0.5, perKvToken: 0 })).toMatchObject({
      thresholds: [3],
      stepTime: 0.5,
    });
  });

  test("need memory: without it there is no WAIT", () => {
    expect(waitThresholds(one, 14_140).kvTokens).toBe(14_140);
    expect(() => waitThresholds(one, 14_139)).toThrow(
      "kvTokens: expected at least M_pi = 14140 KV tokens, which the least thresholds hold, got 14139. There is no WAIT for this budget.",
    );
    expect(() => waitThresholds(three, 36_736)).toThrow(/M_pi = 120620 KV tokens.*, got 36736\. There is no WAIT/);
  });

  test("need a worker that can serve the rates", () => {
    const tooMuch = { ...one, classes: [{ ...one.classes[0], rate: 111 }] };
    expect(() => waitThresholds(tooMuch)).toThrow(
      /^options.classes: expected perKvToken \* Gamma below 1 - 0.000001, got 1.01\d+. The worker cannot serve these rates.$/,
    );
  });
});

const nestedOf = ({ classes, base, perKvToken }: FluidOptions): NestedFluidOptions => ({
  classes: classes.map(({ rate, output }) => ({ rate, output })),
  ...{ input: 20, base, perKvToken },
});

/** n_1 = 1, 2, ... */
function nestedByTrial({ classes, input, base, perKvToken }: NestedFluidOptions) {
  const reach = classes.map((_, k) => classes.slice(k).reduce((sum, { rate }) => sum + rate, 0));
  for (let first = 1; ; first++) {
    const thresholds = [first];
    for (let k = 1; k < classes.length; k++) {
      let n = 1;
      while (n / thresholds[k - 1] <= reach[k] / reach[k - 1]) n++;
      thresholds.push(n);
    }
    let kvTokens = 0;
    for (const [k, n] of thresholds.entries()) {
      const begin = k === 0 ? 0 : classes[k - 1].output + 1;
      kvTokens += n * heldOver({ input, output: 0 }, begin, classes[k].output);
    }
    if (base + perKvToken * kvTokens < first / reach[0]) return { thresholds, kvTokens };
  }
}

describe("Nested WAIT's thresholds", () => {
  test("are WAIT's where there is one segment", () => {
    expect(nestedWaitThresholds(nestedOf(one))).toEqual(waitThresholds(one));
  });

  test("are the first that are enough, in 300 random cases", () => {
    let falling = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = randomClasses(seed);
      const outputs = [...new Set(random.classes.map(({ output }) => output))].sort((a, b) => a - b);
      const options = {
        ...nestedOf(random),
        classes: outputs.map((output, j) => ({ rate: random.classes[j].rate, output })),
      };
      const gamma = options.classes.reduce((sum, c) => sum + c.rate * heldOver({ ...c, input: 20 }), 0);
      options.perKvToken = (0.9 * seeded(seed).next()) / gamma;
      const { thresholds, kvTokens } = nestedWaitThresholds(options);
      expect({ thresholds, kvTokens }, `seed ${seed}`).toEqual(nestedByTrial(options));
      if (thresholds.length > 1 && thresholds[1] < thresholds[0]) falling++;
    }
    expect(falling).toBeGreaterThan(50);
  });

  test("need memory, and lengths that ascend", () => {
    const { kvTokens } = nestedWaitThresholds(nestedOf(three));
    expect(nestedWaitThresholds(nestedOf(three), kvTokens).thresholds).toEqual([6, 4, 2]);
    expect(() => nestedWaitThresholds(nestedOf(three), kvTokens - 1)).toThrow(`M_pi = ${kvTokens} KV tokens`);
    const classes = [...nestedOf(three).classes].reverse();
    expect(() => nestedWaitThresholds({ ...nestedOf(three), classes })).toThrow(
      "options.classes[1].output: expected an integer >= 301, got 200.",
    );
  });
});

describe("refuses", () => {
  const bad: [string, Record<string, unknown>][] = [
    ["options.classes: expected an array of at least one class, got Array of length 0.", { classes: [] }],
    ["options.classes: expected an array of at least one class, got undefined.", { classes: undefined }],
    ["options.base: expected a number >= 0, got -1.", { base: -1 }],
    ["options.perKvToken: expected a number >= 0, got NaN.", { perKvToken: Number.NaN }],
    ['options: expected only classes, base, perKvToken, got "perToken". Did you mean perKvToken?', { perToken: 1 }],
    ["options.classes[0].rate: expected requests per s, > 0, got 0.", { classes: [{ ...one.classes[0], rate: 0 }] }],
    ["options.classes[0].input: expected a number >= 1, got 0.", { classes: [{ ...one.classes[0], input: 0 }] }],
    [
      "options.classes[0].output: expected a number >= 1, got Infinity.",
      { classes: [{ ...one.classes[0], output: Infinity }] },
    ],
    ["options.classes[0]: expected an object, got 7.", { classes: [7] }],
  ];
  test.each(bad)("%s", (message, part) => {
    for (const solve of [fluidEquilibrium, waitThresholds]) {
      const call = () => solve({ ...one, ...part } as FluidOptions);
      expect(call).toThrow(ArgumentError);
      expect(call).toThrow(message);
    }
  });

  test("a prompt that is none, of all classes", () => {
    expect(() => nestedWaitThresholds({ ...nestedOf(one), input: Number.NaN })).toThrow(
      "options.input: expected a number >= 1, got NaN.",
    );
  });
});
