import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { type GenerateOptions, generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { checkTrace } from "../../../src/serving/trace/trace.ts";
import { gapsOf, kolmogorov, momentsOf, RARE } from "./gap_statistics.ts";

/** Each input has an output that belongs to it. */
const partner = (input: number) => 3 * input + 1;
const input = Int32Array.from({ length: 100 }, (_, i) => i + 1);
const lengths = { input, output: input.map(partner) };
const good: GenerateOptions = { requests: 20_000, seed: 1, rate: 4, lengths };
const few = { ...good, requests: 500 };

describe("arrivals", () => {
  test("are a Poisson process by default", () => {
    const trace = generateTrace(good);
    checkTrace(trace);
    const gaps = gapsOf(trace.arrival);
    expect(kolmogorov(gaps, (x) => 1 - Math.exp(-4 * x))).toBeLessThan(RARE);
    expect(kolmogorov(gaps, (x) => 1 - Math.exp(-4.2 * x))).toBeGreaterThan(RARE);
    expect(generateTrace({ ...few, arrivals: "poisson" })).toEqual(generateTrace(few));
  });

  test.each([1e-6, 0.1, 0.5, 1, 2, 5])("have a coefficient of variation of %d", (cv) => {
    const trace = generateTrace({ ...good, requests: 100_000, arrivals: { cv } });
    checkTrace(trace);
    const moments = momentsOf(gapsOf(trace.arrival));
    expect(Math.abs(moments.mean * 4 - 1)).toBeLessThan((5 * cv) / Math.sqrt(100_000));
    // A Gamma distribution's fourth moment gives var(cv estimate) = cv^2 (1/2 + cv^2 / 2) / n (delta method); 6 of its roots, for its skewness.
    const error = 6 * cv * Math.sqrt((1 + cv ** 2) / 2 / 100_000);
    expect(Math.abs(moments.cv - cv)).toBeLessThan(error + 1e-9);
  });

  test("without variation come every 1 / rate, exactly", () => {
    const { arrival } = generateTrace({ ...good, requests: 1000, rate: 8, arrivals: { cv: 0 } });
    expect([...arrival]).toEqual(Array.from({ length: 1000 }, (_, i) => (i + 1) / 8));
  });

  test("of a burst are at 0", () => {
    const { arrival } = generateTrace({ ...good, arrivals: "burst" });
    expect(arrival.every((time) => time === 0)).toBe(true);
  });

  test("of another rate are the same, nearer to each other", () => {
    const [slow, fast] = [1, 1024].map((rate) => generateTrace({ ...few, rate, arrivals: { cv: 2 } }));
    expect(fast.arrival.map((time) => time * 1024)).toEqual(slow.arrival);
  });
});

describe("lengths", () => {
  test("stay together and come equally often", () => {
    const trace = generateTrace(good);
    const seen = new Array<number>(100).fill(0);
    trace.input.forEach((tokens, i) => {
      expect(trace.output[i]).toBe(partner(tokens));
      seen[tokens - 1]++;
    });
    // Chi-square with 99 degrees of freedom: above 161 in 1 of 10,000.
    expect(seen.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0)).toBeLessThan(161);
  });

  test("do not follow from arrivals: another process has the same requests", () => {
    const poisson = generateTrace(few);
    for (const arrivals of ["burst", { cv: 0 }, { cv: 3 }] as const) {
      const other = generateTrace({ ...few, arrivals });
      expect(other.input).toEqual(poisson.input);
      expect(other.arrival).not.toEqual(poisson.arrival);
    }
  });

  test("may be in plain arrays, and are left as they are", () => {
    const plain = { input: [...lengths.input], output: [...lengths.output] };
    expect(generateTrace({ ...few, lengths: plain })).toEqual(generateTrace(few));
    expect(plain).toEqual({ input: [...lengths.input], output: [...lengths.output] });
  });
});

describe("the seed", () => {
  test("makes the trace", () => {
    expect(generateTrace(few)).toEqual(generateTrace(few));
    const other = generateTrace({ ...few, seed: 2 });
    expect(other.arrival).not.toEqual(generateTrace(few).arrival);
    expect(other.input).not.toEqual(generateTrace(few).input);
  });

  test("makes the beginning of a longer trace", () => {
    const long = generateTrace(few);
    const short = generateTrace({ ...good, requests: 50 });
    expect(short.arrival).toEqual(long.arrival.slice(0, 50));
    expect(short.output).toEqual(long.output.slice(0, 50));
  });
});

test("no requests, no arrivals", () => {
  const trace = generateTrace({ ...good, requests: 0 });
  checkTrace(trace);
  expect(trace).toEqual({
    requests: 0,
    arrival: new Float64Array(0),
    input: new Int32Array(0),
    output: new Int32Array(0),
  });
});

describe("what is refused", () => {
  const big = new BigInt64Array(1);
  test.each<[string, object | undefined, typeof ArgumentError]>([
    ["options: expected an object, got undefined.", undefined, ArgumentError],
    [
      'options: expected only requests, seed, rate, arrivals, lengths, images, got "arrival". Did you mean arrivals?',
      { arrival: "burst" },
      ArgumentError,
    ],
    ["requests: expected an integer from 0 to 2^31 - 1, got -1.", { requests: -1 }, ArgumentError],
    ["requests: expected an integer from 0 to 2^31 - 1, got 1.5.", { requests: 1.5 }, ArgumentError],
    ["requests: expected an integer from 0 to 2^31 - 1, got 2147483648.", { requests: 2 ** 31 }, ArgumentError],
    ["seed: expected an integer, got undefined.", { seed: undefined }, ArgumentError],
    ["rate: expected a number from 0.000001 to 1000000000, got 0.", { rate: 0 }, ArgumentError],
    ["rate: expected a number from 0.000001 to 1000000000, got NaN.", { rate: NaN }, ArgumentError],
    ['rate: expected a number from 0.000001 to 1000000000, got "1".', { rate: "1" }, ArgumentError],
    ['arrivals: expected "poisson", "burst" or { cv }, got "gamma".', { arrivals: "gamma" }, ArgumentError],
    ['arrivals: expected "poisson", "burst" or { cv }, got null.', { arrivals: null }, ArgumentError],
    ["arrivals.cv: expected 0, or a number from 0.000001 to 1000, got undefined.", { arrivals: {} }, ArgumentError],
    ["arrivals.cv: expected 0, or a number from 0.000001 to 1000, got -1.", { arrivals: { cv: -1 } }, ArgumentError],
    [
      "arrivals.cv: expected 0, or a number from 0.000001 to 1000, got 1001.",
      { arrivals: { cv: 1001 } },
      ArgumentError,
    ],
    ["arrivals: expected only cv", { arrivals: { CV: 1 } }, ArgumentError],
    ["lengths: expected an object, got undefined.", { lengths: undefined }, ArgumentError],
    ["lengths.input: expected an array or TypedArray of numbers, got undefined.", { lengths: {} }, ArgumentError],
    [
      "lengths.output: expected an array or TypedArray of numbers, got undefined.",
      { lengths: { input } },
      ArgumentError,
    ],
    ["lengths.input: expected numbers rather than bigints", { lengths: { input: big, output: input } }, ArgumentError],
    ["lengths.input: expected 1 value at least, got 0.", { lengths: { input: [], output: [] } }, ShapeError],
    [
      "lengths.output: expected 2 values, as lengths.input, got 1.",
      { lengths: { input: [1, 2], output: [1] } },
      ShapeError,
    ],
    [
      "lengths.input[1]: expected an integer from 1 to 2^31 - 1, got 0.",
      { lengths: { input: [1, 0], output: [1, 1] } },
      ArgumentError,
    ],
    [
      "lengths.output[0]: expected an integer from 1 to 2^31 - 1, got 2.5.",
      { lengths: { input: [1], output: [2.5] } },
      ArgumentError,
    ],
  ])("%s", (message, part, kind) => {
    const generate = () => generateTrace((part && { ...good, ...part }) as GenerateOptions);
    expect(generate).toThrow(kind);
    expect(generate).toThrow(message);
  });
});
