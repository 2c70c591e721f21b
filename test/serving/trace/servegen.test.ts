import { describe, expect, test } from "vitest";
import { generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { checkTrace, type Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../../helpers/recorded.ts";
import { gapsOf, kolmogorov, momentsOf, RARE } from "./gap_statistics.ts";
import { DAY, DAYS, generate, own } from "./own_clients.ts";

const PERIOD = 2400;
/** Of requests of a client in a window of any day. */
function select(trace: Trace, client: number, begin: number): number[] {
  const found: number[] = [];
  trace.arrival.forEach((time, i) => {
    if (trace.class![i] === client && Math.floor((time % PERIOD) / 600) * 600 === begin) found.push(i);
  });
  return found;
}

const shareOf = (values: readonly number[], value: number) => values.filter((v) => v === value).length / values.length;
/** 5 standard errors of a share. */
const slack = (p: number, n: number) => 5 * Math.sqrt((p * (1 - p)) / n);

describe("ServeGen's clients", () => {
  const trace = generate();

  test("make a trace of exactly so many requests, with the client as class", () => {
    checkTrace(trace);
    expect(trace.requests).toBe(DAYS * DAY);
    expect(trace.arrival).toHaveLength(DAYS * DAY);
    expect([...new Set(trace.class)].sort()).toEqual([0, 1]);
  });

  test("send in their windows only, as often as their rate says, day after day", () => {
    const days = trace.arrival[trace.requests - 1] / PERIOD;
    for (const [client, begin, rate, cv] of [
      [0, 0, 2, 1],
      [0, 600, 1, Math.sqrt(5)],
      [0, 1200, 0, 0],
      [0, 1800, 1, 0.523],
      [1, 0, 0, 0],
      [1, 600, 4, 1],
      [1, 1200, 0, 0],
      [1, 1800, 0, 0],
    ]) {
      const expected = 600 * rate * Math.floor(days);
      const found = select(trace, client, begin).filter((i) => trace.arrival[i] < Math.floor(days) * PERIOD).length;
      // The number of renewals in t has a variance of cv^2 t.
      expect(Math.abs(found - expected), `client ${client} at ${begin}`).toBeLessThanOrEqual(
        5 * cv * Math.sqrt(expected),
      );
    }
  });

  test("have gaps of their windows' distributions, whatever scale is recorded", () => {
    const inside = (client: number, begin: number) => {
      const times = select(trace, client, begin).map((i) => trace.arrival[i]);
      const gaps = times.slice(1).map((time, k) => time - times[k]);
      return Float64Array.from(gaps.filter((_, k) => Math.floor(times[k] / 600) === Math.floor(times[k + 1] / 600)));
    };
    expect(kolmogorov(inside(1, 600), (x) => 1 - Math.exp(-4 * x))).toBeLessThan(RARE);
    expect(kolmogorov(inside(0, 0), (x) => 1 - Math.exp(-2 * x))).toBeLessThan(RARE);
    expect(kolmogorov(inside(0, 600), (x) => 1 - Math.exp(-x))).toBeGreaterThan(RARE);
    // Weibull of shape 2 is Rayleigh's: 1 - exp(-pi x^2 / 4) with mean 1.
    expect(kolmogorov(inside(0, 1800), (x) => 1 - Math.exp((-Math.PI * x ** 2) / 4))).toBeLessThan(RARE);
  });

  test("have lengths of the last dataset that is not empty", () => {
    for (const begin of [0, 600]) {
      const found = select(trace, 0, begin);
      const inputs = found.map((i) => trace.input[i]);
      expect(new Set(inputs)).toEqual(new Set([10, 20]));
      expect(Math.abs(shareOf(inputs, 10) - 0.25)).toBeLessThan(slack(0.25, found.length));
      expect(found.every((i) => trace.output[i] === 5)).toBe(true);
    }
    const late = select(trace, 0, 1800);
    expect(late.every((i) => trace.input[i] === 30)).toBe(true);
    const outputs = late.map((i) => trace.output[i]);
    expect(new Set(outputs)).toEqual(new Set([1, 7])); // 0 counts as 1
    expect(Math.abs(shareOf(outputs, 7) - 0.5)).toBeLessThan(slack(0.5, late.length));
  });

  test("send a text and each of its images", () => {
    const inputs = select(trace, 1, 600).map((i) => trace.input[i]);
    for (const [tokens, p] of [
      [3, 0.2],
      [203, 0.2],
      [1103, 0.4],
      [2003, 0.2],
    ]) {
      expect(Math.abs(shareOf(inputs, tokens) - p), `${tokens}`).toBeLessThan(slack(p, inputs.length));
    }
  });

  test("are scaled together to the rate, in the same hours", () => {
    const slow = generate({ requests: 5 * DAY, rate: DAY / 2400 / 10 });
    const days = slow.arrival[slow.requests - 1] / PERIOD;
    expect(Math.abs(days - 50)).toBeLessThan(3);
    expect(select(slow, 1, 600)).not.toHaveLength(0);
    for (const begin of [0, 1200, 1800]) expect(select(slow, 1, begin)).toHaveLength(0);
    // Gaps keep their shape.
    const { cv } = momentsOf(
      gapsOf(Float64Array.from(select(slow, 0, 600), (i) => slow.arrival[i] % 600)).filter((x) => x > 0),
    );
    expect(cv).toBeGreaterThan(1.5);
  });

  test("are the same by the same seed, and each has random numbers of its own", () => {
    const day = generate({ requests: DAY });
    expect(generate({ requests: DAY })).toEqual(day);
    expect(generate({ requests: DAY, seed: 2 }).arrival).not.toEqual(day.arrival);
    expect(trace.arrival.slice(0, DAY)).toEqual(day.arrival);
    // Other lengths of the images leave arrivals and the text client's lengths alone.
    const images = { ...own.clients.images, dataset: { "0": { input_tokens: { "1": 1 }, output_tokens: { "1": 1 } } } };
    const other = generate({ requests: DAY }, { ...own, clients: { ...own.clients, images } });
    expect(other.arrival).toEqual(day.arrival);
    expect(other.input).toEqual(day.input.map((tokens, i) => (day.class![i] === 0 ? tokens : 1)));
    expect(other.input).not.toEqual(day.input);
  });

  test("that send in bursts are not more in short windows: each begins at any moment, not with a burst", () => {
    const windows = 500;
    const bursty = { ...own.clients.text, trace: [[0, 1, 5, "Gamma", 0.04, 1]] };
    // 10 requests in a window on average; right after an arrival there would be (cv^2 - 1) / 2 = 12 more.
    const { arrival } = generate({ requests: 10 * windows, rate: 1 / 60 }, { windowSeconds: 600, clients: { bursty } });
    const perWindow = (10 * windows) / (arrival[arrival.length - 1] / 600);
    expect(Math.abs(perWindow - 10)).toBeLessThan((5 * Math.sqrt(25 * 10)) / Math.sqrt(windows));
  });

  test("that hardly ever send do not hold up the others", () => {
    const rare = { ...own.clients.text, trace: [[0, 1e-12, 1, "Gamma", 1, 1]] };
    const { class: clients } = generate({ requests: 5000 }, { ...own, clients: { rare, ...own.clients } });
    expect([...new Set(clients)].sort()).toEqual([1, 2]);
  });

  test("no requests, no arrivals", () => {
    checkTrace(generate({ requests: 0 }));
    expect(generate({ requests: 0 }).class).toEqual(new Int32Array(0));
  });
});

describe(`ServeGen's recorded clients ${needsRecordedData}`, () => {
  type Distributions = Record<string, Record<string, number>>;
  interface Client {
    trace: [number, number, number, string, number, number][];
    dataset: Record<string, Distributions>;
  }
  const meanOf = (distribution: Record<string, number>) =>
    Object.entries(distribution).reduce((sum, [value, p]) => sum + Number(value) * p, 0);
  const promptOf = (d: Distributions) =>
    d.input_tokens ? meanOf(d.input_tokens) : meanOf(d.text_tokens) + meanOf(d.image_count) * meanOf(d.image_tokens);

  test.skipIf(!recordedDataPresent).each([
    ["servegen_deepseek_r1_top12_clients", 12],
    ["servegen_mm_image_clients", 35],
  ])("%s: a day has its requests, its clients' shares and their lengths", (name, clients) => {
    const servegen = recordedJson(`requests/${name}.json.gz`);
    const rate = 5;
    const trace = generateTrace({ requests: 600_000, seed: 1, rate, lengths: { servegen } });
    checkTrace(trace);
    const found = trace.arrival.findIndex((time) => time >= 86_400);
    expect(Math.abs(found / (rate * 86_400) - 1)).toBeLessThan(0.01);

    const all = Object.values<Client>(servegen.clients);
    /** Summed over the windows of a client, whose datasets are of six hours. */
    const recorded = all.map(({ trace, dataset }) => {
      const sums = { requests: 0, input: 0, output: 0 };
      for (const [begin, perSecond] of trace) {
        const d = dataset[String(Math.floor(begin / 21_600) * 21_600)];
        sums.requests += perSecond;
        sums.input += perSecond * promptOf(d);
        sums.output += perSecond * meanOf(d.output_tokens);
      }
      return sums;
    });
    const total = (what: "requests" | "input" | "output") => recorded.reduce((sum, client) => sum + client[what], 0);
    const sent = new Array<number>(clients).fill(0);
    for (let i = 0; i < found; i++) sent[trace.class![i]]++;
    sent.forEach((n, client) => {
      const share = recorded[client].requests / total("requests");
      expect(Math.abs(n / found - share), `client ${client}`).toBeLessThan(0.01);
    });
    for (const what of ["input", "output"] as const) {
      const mean = trace[what].slice(0, found).reduce((a, b) => a + b) / found;
      expect(Math.abs(mean / (total(what) / total("requests")) - 1), what).toBeLessThan(0.03);
    }
  });
});
