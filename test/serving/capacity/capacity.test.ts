import { describe, expect, test } from "vitest";
import { ShapeError } from "../../../src/common/errors.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { type CapacityOptions, capacity } from "../../../src/serving/capacity/capacity.ts";
import { leastKv } from "../../../src/serving/routing/least_kv.ts";
import { fcfs } from "../../../src/serving/scheduling/fcfs.ts";
import type { Slo } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { own } from "../trace/own_clients.ts";
import { refused } from "./refused.ts";

const stepTime = { base: 0.02, perSequence: 1e-4, perKvToken: 2e-7, perPrefillToken: 2e-5, perContext: 2e-9 };
const one = { input: [1000], output: [101] };

describe("without an SLO, by hand", () => {
  const tokenSteps = 1000 * 101 + (101 * 102) / 2;
  const work = 101 * 1e-4 + 2e-7 * (tokenSteps - 101) + 1000 * 2e-5 + 2e-9 * 5e5;

  test("memory binds where a full one is reached before the time runs out", () => {
    const kvTokens = 20_000;
    const found = capacity({ lengths: one, rate: 50 }, { kvTokens, stepTime });
    const mu = kvTokens / ((0.02 + (kvTokens / tokenSteps) * work) * tokenSteps);
    expect(found.mu).toBeCloseTo(mu, 10);
    expect(found.delta).toBeCloseTo(1101 / 20_000, 12);
    const proven = mu * (1 - found.delta);
    expect(found.needs).toEqual({ stability: Math.floor(50 * work) + 1, memory: Math.ceil(50 / proven) });
    expect(found).toMatchObject({ workers: Math.ceil(50 / proven), binding: "memory" });
    expect(found.next).toBeCloseTo(proven, 10);
    const share = 50 / found.workers;
    expect(found.utilization).toBeCloseTo(share / mu, 12);
    expect(found.stepTime).toBeCloseTo(0.02 / (1 - share * work), 12);
    expect(found.batch).toBeCloseTo(share * 101 * found.stepTime, 10);
    expect(found.kvTokens).toBeCloseTo(share * tokenSteps * found.stepTime, 8);
    expect(found.kvTokens).toBeLessThan(kvTokens);
  });

  test("slots bind where they are fewer", () => {
    const { mu } = capacity({ lengths: one, rate: 50 }, { kvTokens: 1e6, slots: 4, stepTime });
    expect(mu).toBeCloseTo(4 / ((0.02 + (4 / 101) * work) * 101), 10);
  });

  test("with ample memory stability alone is left: lambda W < N", () => {
    for (const rate of [0.5 / work, 1.01 / work, 9.99 / work, 10.01 / work]) {
      const { workers, binding } = capacity({ lengths: one, rate }, { kvTokens: 1e12, stepTime });
      expect(workers).toBe(Math.floor(rate * work) + 1);
      expect(binding).toBe("stability");
    }
  });

  test("the fleet that is recommended is stable, and is not with much less", async () => {
    const lengths = lengthsOf(seeded(3), 400, 100);
    const options = { kvTokens: 10_000, stepTime };
    const { workers, mu } = capacity({ lengths, rate: 40 }, options);
    const queue = async (count: number) => {
      const { summary } = await served(lengths, 40, count, options, 8000);
      return summary.queue;
    };
    expect(await queue(workers)).toBeLessThan(20);
    expect(await queue(Math.floor((0.95 * 40) / mu))).toBeGreaterThan(100);
  });
});

/** Exponential. */
function lengthsOf(random: Random, input: number, output: number) {
  const drawn = (mean: number) =>
    Int32Array.from({ length: 3000 }, () => 1 + Math.min(8 * mean, Math.floor(-mean * Math.log(1 - random.next()))));
  return { input: drawn(input), output: drawn(output) };
}

function served(
  lengths: { input: Int32Array; output: Int32Array },
  rate: number,
  workers: number,
  { kvTokens, slots = 1e6, stepTime }: CapacityOptions,
  requests: number,
) {
  const trace = generateTrace({ requests, seed: 77, rate, lengths });
  return simulate(trace, {
    workers: new Array(workers).fill({ slots, kvTokens, stepTime }),
    ...{ clock: "seconds", routing: leastKv(), scheduling: fcfs({ admission: "future" }), prediction: "exact" },
    warmUp: trace.arrival[requests / 4],
  });
}

describe("with an SLO, against other draws of the same workload", () => {
  const cases: { name: string; mean: [number, number]; rate: number; options: CapacityOptions }[] = [
    { name: "TPOT", mean: [500, 150], rate: 30, options: { kvTokens: 2e5, stepTime, slo: { tpot: 0.04 } } },
    { name: "TTFT", mean: [2000, 50], rate: 20, options: { kvTokens: 1e5, stepTime, slo: { ttft: 0.3 } } },
    {
      name: "both, slots few",
      mean: [300, 200],
      rate: 12,
      options: { kvTokens: 1e5, slots: 24, stepTime, slo: { ttft: 0.3, tpot: 0.06 } },
    },
    {
      name: "both, memory short",
      mean: [1000, 300],
      rate: 5,
      options: { kvTokens: 25_000, stepTime, slo: { ttft: 0.4, tpot: 0.08 } },
    },
  ];
  test.each(cases)("$name: so many workers meet it, and two fewer do not", async ({ mean, rate, options }) => {
    const lengths = lengthsOf(seeded(9), ...mean);
    const { workers, binding, needs, next, ttft, tpot } = capacity({ lengths, rate }, options);
    expect(binding).toBe("slo");
    expect(needs.slo).toBe(workers);
    const slo: Slo = options.slo!;
    const worst = async (count: number, at = rate) => {
      const { summary } = await served(lengths, at, count, options, 12_000);
      return Math.max(summary.ttft.p95 / (slo.ttft ?? 1e9), summary.tpot.p95 / (slo.tpot ?? 1e9));
    };
    expect(Math.max(ttft! / (slo.ttft ?? 1e9), tpot! / (slo.tpot ?? 1e9))).toBeLessThanOrEqual(1);
    expect(await worst(workers)).toBeLessThanOrEqual(1);
    expect(await worst(workers - 2)).toBeGreaterThan(1);
    // As much as they add, less some percent for the draw; and not half as much again for each.
    expect(await worst(workers + 1, 0.95 * (workers + 1) * next)).toBeLessThanOrEqual(1);
    expect(await worst(workers + 1, 1.2 * (workers + 1) * next)).toBeGreaterThan(1);
  });

  test("a stricter percentile needs no fewer, and the same call answers alike", () => {
    const lengths = lengthsOf(seeded(9), 500, 50);
    const options = { kvTokens: 2e5, stepTime, slo: { ttft: 0.08 } };
    const at = (percentile?: number) => capacity({ lengths, rate: 20 }, { ...options, percentile });
    const found = at();
    expect(at(50).workers).toBeLessThan(found.workers);
    expect(at(95)).toEqual(found);
  });

  test("a large fleet is as many times the one of which it is simulated", () => {
    const lengths = { input: lengthsOf(seeded(9), 500, 1).input, output: new Int32Array(3000).fill(1) };
    const options = { kvTokens: 2e5, stepTime, slo: { ttft: 0.09 } };
    const [large, larger] = [2000, 8000].map((rate) => capacity({ lengths, rate }, options).workers);
    expect(large).toBeGreaterThanOrEqual(48);
    expect(Math.abs(larger / large / 4 - 1)).toBeLessThan(0.03);
  });

  test("the SLO of a request alone is met as nearly as one likes, by a worker for each", () => {
    // 0.02 + 1e-4 + 1000 (2e-7 + 2e-5) + 2e-9 5e5 s.
    const { workers } = capacity({ lengths: one, rate: 2 }, { kvTokens: 1e5, stepTime, slo: { ttft: 0.04131 } });
    expect(workers).toBeGreaterThan(5);
  });
});

test("a limit of TPOT alone does not let the queue grow", async () => {
  const lengths = lengthsOf(seeded(4), 300, 60);
  const options = { kvTokens: 4000, stepTime, slo: { tpot: 1 } };
  const { workers, binding, mu } = capacity({ lengths, rate: 40 }, options);
  expect(binding).toBe("memory");
  expect(workers).toBeGreaterThan(40 / mu);
  const queue = async (count: number) => (await served(lengths, 40, count, options, 12_000)).summary.queue;
  expect(await queue(workers)).toBeLessThan(50);
  expect(await queue(workers - 1)).toBeGreaterThan(100);
});

test("requests of one token have no TPOT, and a limit of it is met by any fleet that is stable", () => {
  const workload = { lengths: { input: [500, 700], output: [1, 1] }, rate: 100 };
  const { workers, needs, next } = capacity(workload, { kvTokens: 1e5, stepTime, slo: { tpot: 1e-3 } });
  expect(workers).toBe(Math.max(needs.stability, needs.memory));
  expect(next).toBeGreaterThan(0);
});

test("chunks make the first token later", () => {
  const options = { kvTokens: 1e5, stepTime, slo: { ttft: 0.15 } };
  const { workers } = capacity({ lengths: one, rate: 20 }, options);
  expect(capacity({ lengths: one, rate: 20 }, { ...options, chunk: 256 }).workers).toBeGreaterThan(workers);
});

test("ServeGen's clients bring lengths", () => {
  const { workers, mu } = capacity({ lengths: { servegen: own }, rate: 10 }, { kvTokens: 1e6, stepTime });
  expect(workers).toBeGreaterThanOrEqual(10 / mu);
});

test("what it does not understand, and what no fleet can do, is refused", () => {
  const options = { kvTokens: 1e5, stepTime };
  const ask =
    (part: object, workload: object = {}) =>
    () =>
      capacity({ lengths: one, rate: 1, ...workload } as never, { ...options, ...part } as never);
  refused(ask({ slo: { ttft: 0.0412 } }), "slo.ttft", "No number of workers meets it");
  refused(ask({ slo: { ttft: 0.0412 } }), "slo.ttft", "more than 0.0413");
  refused(ask({ slo: { tpot: 0.0203 } }), "slo.tpot", "No number of workers meets it");
  refused(ask({ kvTokens: 1100 }), "kvTokens", "at least the 1101 tokens");
  refused(ask({ kvTokens: 1101 }), "kvTokens", "give a limit of TTFT");
  refused(ask({}, { rate: 0 }), "rate");
  refused(ask({}, { rate: -1 }), "rate");
  refused(ask({}, { rate: Number.NaN }), "rate");
  refused(ask({}, { rate: 1e300 }), "rate");
  refused(ask({ slots: 0 }), "slots");
  refused(ask({ slots: 1.5 }), "slots");
  refused(ask({ chunk: 0 }), "chunk");
  refused(ask({ percentile: 100 }), "percentile");
  refused(ask({ slo: {} }), "slo");
  refused(ask({ slo: { ttft: Number.NaN } }), "slo.ttft");
  refused(ask({ stepTime: undefined }), "stepTime");
  refused(ask({ stepTime: { ...stepTime, perKvTokens: 1 } }), "stepTime", "Did you mean perKvToken");
  refused(ask({ workers: 3 }), "options");
  refused(ask({}, { rates: 3 }), "workload", "Did you mean rate");
  refused(ask({}, { lengths: { input: [0], output: [1] } }), "lengths.input[0]");
  refused(ask({}, { lengths: null }), "lengths");
  expect(ask({}, { lengths: { input: [], output: [] } })).toThrow(ShapeError);
  refused(() => capacity(undefined as never, options), "workload");
  refused(() => capacity({ lengths: one, rate: 1 }, undefined as never), "options");
});
