import { describe, expect, test } from "vitest";
import { routeNames, withReference } from "../../../src/cli/reports/routes.ts";
import { combinationsOf, scheduleNames } from "../../../src/cli/reports/schedules.ts";
import { withBound } from "../../../src/cli/reports/simulation_bound.ts";
import { type SimulationReport, simulateAll } from "../../../src/cli/reports/simulation_report.ts";
import type { Setting } from "../../../src/cli/reports/simulation_setting.ts";
import { ArgumentError } from "../../../src/common/errors.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import type { StepTime } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

const never = new AbortController().signal;
const plain: Setting = {
  ...{ source: "made", requests: 0, recorded: 0, drawn: false, sessions: false, blocks: false },
  ...{ workers: 1, slots: 8, kvTokens: 100, clock: "rounds", barrier: false, prefill: "whole", staleness: 0 },
  ...{ prediction: "exact", eviction: "restart", caching: "lru", warmUp: 0, tooLarge: "reject", seeds: [1] },
};

async function bounded(
  trace: Trace,
  given: Partial<Setting>,
  combinations = combinationsOf(["least-kv"], ["svf"], true),
) {
  const setting = { ...plain, requests: trace.requests, recorded: trace.requests, ...given };
  const { report } = await simulateAll(trace, setting, combinations, undefined, () => {}, never);
  return withBound(trace, report, 60, () => {}, never);
}

function boundIn({ bound }: SimulationReport) {
  if (bound === undefined || "none" in bound) throw new Error(`no bound: ${bound?.none}`);
  return bound;
}

const traceOf = (rows: readonly [arrival: number, input: number, output: number][]): Trace => ({
  requests: rows.length,
  arrival: Float64Array.from(rows, ([a]) => a),
  input: Int32Array.from(rows, ([, s]) => s),
  output: Int32Array.from(rows, ([, , o]) => o),
});

const stepTime: StepTime = { base: 0.5, perSequence: 0.125, perKvToken: 0.25, perPrefillToken: 0.0625, perContext: 0 };

describe("by hand", () => {
  // Two requests of 3 + 2 tokens on a memory of 9: together they would hold 8 in the first round and 10 in the second.
  const two = traceOf([
    [0, 3, 2],
    [0, 3, 2],
  ]);

  test("rounds: with room for both each takes 2, and with a round's price 5 in all", async () => {
    const { report } = await bounded(two, { kvTokens: 10 });
    expect(boundIn(report)).toMatchObject({ mean: 2, means: [2], proof: "alone" });
    expect(report.policies[0].overBound).toBe(1);
    // The second can begin in the second round: 2 + 3. The policy is asked only where one ends: 2 + 4.
    const { report: tight, prices } = await bounded(two, { kvTokens: 9 });
    expect(boundIn(tight)).toMatchObject({ mean: 2.5, proof: "prices", round: 1 });
    expect(tight.policies[0].overBound).toBeCloseTo(3 / 2.5, 12);
    expect(prices!.kv.some((price) => price > 0)).toBe(true);
  });

  test("slots: one for two requests of 2 rounds, 2 + 4", async () => {
    const { report, prices } = await bounded(two, { kvTokens: 100, slots: 1 });
    expect(boundIn(report)).toMatchObject({ mean: 3, proof: "prices" });
    expect(prices!.slot!.some((price) => price > 0)).toBe(true);
  });

  test("seconds: alone a request takes its prefill, and steps as long as its own KV makes them", async () => {
    const { report } = await bounded(traceOf([[0.3, 4, 3]]), { clock: "seconds", stepTime });
    // Steps begin with 4, 5 and 6 tokens held, and the first prefills 4.
    const latency = 3 * 0.625 + 0.25 * (4 + 5 + 6) + 4 * 0.0625;
    expect(boundIn(report).mean).toBeCloseTo(latency, 12);
    expect(report.policies[0].overBound).toBeCloseTo(1, 12);
  });

  test("chunks and prefill elsewhere come before the first token", async () => {
    const one = traceOf([[0.5, 10, 3]]);
    const chunked = await bounded(one, { prefill: { chunk: 4 } });
    expect(boundIn(chunked.report).mean).toBe(0.5 + 2 + 3); // 4 + 4 + 2 prompt tokens
    expect(chunked.report.policies[0].overBound).toBe(1);
    const elsewhere = await bounded(one, { prefill: { workers: 1, bandwidth: 5 } });
    expect(boundIn(elsewhere.report).mean).toBe(0.5 + 1 + 2 + 2); // a round of prefill, 10 / 5 of transfer, 2 tokens more
    expect(elsewhere.report.policies[0].overBound).toBe(1);
  });

  test("seconds: what has been waited when a cell begins is not counted", async () => {
    // One slot, steps of a second: the second waits 0.1 s for the first. Had both come at 0, they would take 1 + 2.
    const pair = traceOf([
      [0, 3, 1],
      [0.9, 3, 1],
    ]);
    const second = { base: 1, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };
    const { report } = await bounded(pair, { clock: "seconds", slots: 1, stepTime: second });
    expect(report.policies[0].figures["latency.mean"]!.mean).toBeCloseTo((1 + 1.1) / 2, 12);
    expect(boundIn(report).mean).toBeLessThanOrEqual((1 + 1.1) / 2);
  });

  test("a request that keeps its tokens can make way for one that comes later", async () => {
    const pair = traceOf([
      [0, 3, 10],
      [1, 3, 1],
    ]);
    const trail = combinationsOf(["least-kv"], ["trail"], true);
    const restart = await bounded(pair, { slots: 1 }, trail);
    expect(2 * boundIn(restart.report).mean).toBe(13); // the second first: 1, and 12 for the other
    const { report } = await bounded(pair, { slots: 1, eviction: "recompute" }, trail);
    expect(2 * report.policies[0].figures["latency.mean"]!.mean).toBe(12); // 1, and 11 for the other
    expect(2 * boundIn(report).mean).toBe(12);
  });

  test("a closed pool has none, and says why", async () => {
    const { report, prices } = await bounded(two, { pool: 1 });
    expect(report.bound).toEqual({ none: expect.stringContaining("--pool") });
    expect(prices).toBeUndefined();
    expect(report.policies[0]).not.toHaveProperty("overBound");
  });

  test("those before the warm-up and those that are rejected do not count, and nor do they where nobody does", async () => {
    const some = traceOf([
      [0, 3, 2],
      [5, 90, 20],
      [6, 3, 4],
    ]);
    const { report } = await bounded(some, { warmUp: 5 });
    expect(boundIn(report).mean).toBe(4);
    const late = await bounded(some, { warmUp: 7 });
    expect(late.report.bound).toEqual({ none: "no request counts" });
  });

  test("seeds that draw nothing have one bound, others each their own", async () => {
    const { report: same } = await bounded(two, { seeds: [1, 2, 3] });
    expect(new Set(boundIn(same).means).size).toBe(1);
    const { report: drawn } = await bounded(
      traceOf([
        [0, 3, 9],
        [0, 5, 2],
      ]),
      { seeds: [1, 2], rate: 2, drawn: true, requests: 9 },
    );
    expect(new Set(boundIn(drawn).means).size).toBe(2);
  });
});

describe("no policy beats it", () => {
  function randomTrace(random: Random, burst: boolean, tight: boolean): Trace {
    let now = 0;
    const rows = Array.from({ length: 1 + random.below(random.pick([4, 30])) }, (): [number, number, number] => {
      now += burst ? 0 : random.next() * random.pick([0, 0.3, 1, 4]);
      return [now, 1 + random.below(tight ? 12 : 30), 1 + random.below(tight ? 20 : 6)];
    });
    return traceOf(rows);
  }

  function withBlocks(trace: Trace, random: Random): Trace {
    const counts = Array.from(trace.input, (tokens) => Math.ceil(tokens / 4));
    const start = Int32Array.from([0, ...counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0))]);
    return {
      ...trace,
      blocks: { start, id: Int32Array.from({ length: start[trace.requests] }, () => random.below(3)), tokens: 4 },
    };
  }

  function randomSetting(random: Random): Partial<Setting> {
    const seconds = random.below(2) === 1;
    const coefficient = () => random.pick([0, 0, 0.01, 0.1, 1]) * random.next();
    return {
      ...{ workers: 1 + random.below(3), slots: random.pick([1, 2, 4, 32]), kvTokens: 32 + random.below(40) },
      clock: seconds ? "seconds" : "rounds",
      ...(seconds && {
        stepTime: {
          ...{ base: 0.1 + coefficient(), perSequence: coefficient(), perKvToken: coefficient() },
          ...{ perPrefillToken: coefficient(), perContext: coefficient() / 10 },
        },
      }),
      barrier: random.below(4) === 0,
      prefill: random.pick([
        "whole",
        "whole",
        { chunk: 1 + random.below(9) },
        { workers: 1 + random.below(2), bandwidth: 1 + random.below(20) },
      ]),
      eviction: random.pick(["restart", "recompute"]),
      warmUp: random.pick([0, 0, 2]),
      staleness: random.pick([0, 0, 1.5]),
    };
  }

  test("500 small traces, any setting, every policy", async () => {
    const random = seeded(18);
    const of = { prices: 0, steps: 0, alone: 0, none: 0 };
    const close = { prices: 0, steps: 0, alone: 0 };
    const seen = new Set<string>();
    for (let k = 0; k < 500; k++) {
      const burst = random.below(3) === 0;
      const plainTrace = randomTrace(random, burst, random.below(2) === 0);
      const trace = random.below(5) === 0 ? withBlocks(plainTrace, random) : plainTrace;
      const setting = randomSetting(random);
      const schedules = scheduleNames.filter((name) => !(burst && name.includes("wait")));
      const some = combinationsOf(
        withReference([random.pick(routeNames)]),
        [...new Set([random.pick(schedules), random.pick(schedules)])],
        true,
      );
      let report: SimulationReport;
      try {
        ({ report } = await bounded(trace, setting, some));
      } catch (error) {
        if (error instanceof ArgumentError && some.combinations.some(({ schedule }) => schedule.includes("wait")))
          continue; // no thresholds
        throw error;
      }
      const { bound } = report;
      if (bound === undefined || "none" in bound) {
        of.none++;
        continue;
      }
      of[bound.proof]++;
      for (const { policy, overBound, schedule, route } of report.policies) {
        seen.add(schedule).add(route);
        if (overBound! < 1.01) close[bound.proof]++;
        expect(overBound, `${k}: ${policy} ${JSON.stringify(setting)}`).toBeGreaterThanOrEqual(1 - 1e-12);
      }
    }
    // What is checked would show: bounds of both kinds, policies of every name, and many so close that a bound 1 % higher would be none.
    expect(of.prices, "by prices").toBeGreaterThan(50);
    expect(of.alone, "alone").toBeGreaterThan(150);
    expect(of.steps, "with shared steps").toBeGreaterThan(40);
    expect(close.prices, "close, by prices").toBeGreaterThan(20);
    // nested-wait wants more memory than these workers have: see below.
    expect(seen).toEqual(new Set([...routeNames, ...scheduleNames.filter((name) => name !== "nested-wait")]));
  });

  test.each(["restart", "recompute"] as const)(
    "nested-wait, which lets running requests rest, %s",
    async (eviction) => {
      const random = seeded(7);
      let now = 0;
      const trace = traceOf(
        Array.from({ length: 120 }, () => {
          now += -Math.log(1 - random.next()) / 0.3;
          return [now, 1 + random.below(20), 1 + random.below(30)];
        }),
      );
      const setting = { kvTokens: 1000, slots: 8, eviction };
      const { report } = await bounded(trace, setting, combinationsOf(["least-kv"], ["nested-wait"], true));
      expect(report.policies.map(({ schedule }) => schedule)).toContain("nested-wait");
      for (const { overBound } of report.policies) expect(overBound).toBeGreaterThan(1);
    },
  );
});
