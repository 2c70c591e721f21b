/** What steps behind a barrier take, and what they must take however requests are routed: replayed, against all assignments, and of every policy. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { RoutingPolicy } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import type { SimulateOptions, WorkerSpec } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Simulated, Summary } from "../../../src/serving/simulator/simulated.ts";
import { type StepTime, stepSeconds } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { sendBy } from "./policies.ts";
import { randomTrace, traceOf, worker } from "./traces.ts";

const stepTime: StepTime = {
  ...{ base: 0.005, perSequence: 1e-4, perKvToken: 2e-6 },
  ...{ perPrefillToken: 3e-5, perContext: 1e-8 },
};
const alike = (count: number, slots: number, kvTokens = 100_000): WorkerSpec[] =>
  Array.from({ length: count }, () => ({ slots, kvTokens, stepTime }));
const run = (trace: Trace, workers: WorkerSpec[], policy: RoutingPolicy, more: Partial<SimulateOptions> = {}) =>
  simulate(trace, { workers, clock: "seconds", barrier: true, routing: policy, prediction: "exact", ...more });

/** Lognormal lengths, most of them short. */
function drawn(requests: number, seed: number): Trace {
  const random = seeded(seed);
  const lengths = (mean: number, sigma: number) =>
    Array.from({ length: requests }, () => Math.ceil(Math.exp(mean + sigma * random.normal())));
  return traceOf(new Array(requests).fill(0), lengths(5, 1), lengths(4, 0.8));
}

/** Step after step from who began when and where, each with its whole prompt: when the last ends, and the three sums until the last start. */
function replayed({ input, output }: Trace, { start, worker: of }: Simulated, workers: number) {
  const order = Array.from(start, (_, id) => id).sort((a, b) => start[a] - start[b]);
  const last = Math.max(...start);
  const { base } = stepTime;
  let running: { id: number; made: number }[] = [];
  const sums = { time: 0, bound: 0, even: 0 };
  let now = 0;
  for (let next = 0; next < order.length || running.length > 0; ) {
    if (running.length === 0) now = Math.max(now, start[order[next]]);
    while (next < order.length && Math.abs(start[order[next]] - now) < base / 2)
      running.push({ id: order[next++], made: 0 });
    const added = new Array<number>(workers).fill(0);
    let largest = 0;
    for (const { id, made } of running) {
      const prefill = made === 0 ? input[id] : 0;
      const work = { running: 1, held: input[id] + made, prefill, context: prefill ** 2 / 2 };
      const adds = stepSeconds(stepTime, work) - base;
      added[of[id]] += adds;
      largest = Math.max(largest, adds);
    }
    const mean = added.reduce((a, b) => a + b) / workers;
    const time = base + Math.max(...added);
    if (now < last - base / 2) {
      sums.time += time;
      sums.bound += base + Math.max(mean, largest);
      sums.even += base + mean;
    }
    now += time;
    for (const one of running) one.made++;
    running = running.filter(({ id, made }) => made < output[id]);
  }
  return { ...sums, makespan: now };
}

const close = (actual: number, expected: number, name: string) =>
  expect(Math.abs(actual / expected - 1), name).toBeLessThan(1e-9);

describe("steps behind a barrier", () => {
  test("replayed from starts and workers add up to the makespan, and to the figures of the summary", async () => {
    for (const policy of [routing.leastKv(), routing.bfio(), routing.roundRobin()]) {
      const trace = drawn(400, 1);
      const simulated = await run(trace, alike(8, 12), policy, { arrivals: { pool: 32 } });
      const { summary } = simulated;
      const theirs = replayed(trace, simulated, 8);
      close(summary.makespan, theirs.makespan, policy.name);
      close(summary.stepTime!, theirs.time, policy.name);
      close(summary.barrierBound!, theirs.bound, policy.name);
      close(summary.stepEven!, theirs.even, policy.name);
      close(summary.stepTime!, summary.to - summary.from, policy.name); // the pool is never empty
    }
  });

  test("take their bound or more under every policy, with chunks, evictions, pools and pauses", async () => {
    const trace = { ...drawn(300, 2), session: Int32Array.from({ length: 300 }, (_, i) => i % 40) };
    trace.arrival = trace.arrival.map((_, i) => i / 50);
    const settings: Partial<SimulateOptions>[] = [
      {},
      { prefill: { chunk: 128 } },
      { workers: alike(4, 30, 4000), eviction: "recompute" },
      { prefill: { pool: alike(2, 4), bandwidth: 1e5 } },
      { clock: "rounds" },
    ];
    let evictions = 0;
    for (const create of Object.values(routing)) {
      for (const more of settings) {
        const { summary } = await run(trace, alike(4, 16), create(), more);
        const { stepTime: time, barrierBound: bound, stepEven: even, routable } = summary;
        const name = `${create.name} ${JSON.stringify(more)}`;
        expect(even! <= bound! && bound! <= time! && even! > 0, name).toBe(true);
        expect(routable, name).toBe((time! - bound!) / time!);
        evictions += summary.evictions;
      }
    }
    expect(evictions).toBeGreaterThan(0);
  });

  test("of one worker take their bound, to the last bit", async () => {
    const trace = randomTrace(3, 50, 3);
    for (const clock of ["seconds", "rounds"] as const) {
      const { summary } = await run(trace, alike(1, 8, 200), routing.leastKv(), { clock });
      expect([summary.barrierBound, summary.stepEven, summary.routable]).toEqual([
        summary.stepTime,
        summary.stepTime,
        0,
      ]);
    }
    const burst = traceOf([0, 0], [3, 5], [4, 2]);
    const { summary } = await run(burst, alike(1, 8), routing.leastKv(), { clock: "rounds" });
    expect(summary.stepTime).toBe(3 + 5 + (4 + 6) + 5 + 6);
  });

  test("are figures of a barrier alone", async () => {
    const { summary } = await run(randomTrace(3, 20, 3), alike(2, 8), routing.leastKv(), { barrier: false });
    expect(Object.keys(summary).filter((name) => /^step[A-Z]|routable/.test(name))).toEqual([]);
  });

  test("count from the warm-up's end to the last start", async () => {
    const options = { arrivals: { pool: 16 }, warmUp: 0.3 };
    const { summary } = await run(drawn(200, 4), alike(4, 8), routing.leastKv(), options);
    expect(summary.from).toBe(0.3);
    // The step under way when the warm-up ends counts as a whole.
    const longest = 0.3;
    expect(summary.stepTime!).toBeGreaterThanOrEqual(summary.to - summary.from);
    expect(summary.stepTime!).toBeLessThan(summary.to - summary.from + longest);
  });
});

/** The same requests, all at once, sent to workers in every way. */
async function everyWay(trace: Trace, workers: WorkerSpec[], more: Partial<SimulateOptions>): Promise<Summary[]> {
  const ways = workers.length ** trace.requests;
  const summaries: Summary[] = [];
  for (let way = 0; way < ways; way++) {
    const to = (id: number, count: number) => Math.floor(way / count ** id) % count;
    summaries.push((await run(trace, workers, sendBy(to), more)).summary);
  }
  return summaries;
}

describe("of all assignments of a few requests that come at once", () => {
  const least = (summaries: readonly Summary[]) => Math.min(...summaries.map(({ stepTime: time }) => time!));

  test.each(["seconds", "rounds"] as const)(
    "none takes less than the bound, which is the same for all (%s)",
    async (clock) => {
      let tight = 0;
      let loose = 0;
      for (let seed = 0; seed < 12; seed++) {
        const random = seeded(seed);
        const n = 3 + random.below(3);
        const lengths = (most: number) => Array.from({ length: n }, () => 1 + random.below(most));
        const trace = traceOf(new Array(n).fill(0), lengths(random.pick([20, 2000])), lengths(6));
        const summaries = await everyWay(trace, alike(2 + (seed % 2), n), { clock });
        const bound = summaries[0].barrierBound!;
        for (const one of summaries) {
          if (clock === "seconds") close(one.stepTime!, one.makespan, `seed ${seed}`);
          close(one.barrierBound!, bound, `seed ${seed}`);
        }
        const best = least(summaries);
        expect(best, `seed ${seed}`).toBeGreaterThanOrEqual(bound * (1 - 1e-12));
        if (best < bound * (1 + 1e-9)) tight++;
        if (best > bound * (1 + 1e-3)) loose++;
      }
      // It is a bound, and no more.
      expect(tight).toBeGreaterThan(0);
      expect(loose).toBeGreaterThan(0);
    },
  );

  test("none takes less where workers differ: the least of each coefficient counts", async () => {
    const random = seeded(7);
    for (let seed = 0; seed < 5; seed++) {
      const lengths = (most: number) => Array.from({ length: 4 }, () => 1 + random.below(most));
      const trace = traceOf([0, 0, 0, 0], lengths(2000), lengths(6));
      const workers = [0, 1].map(() =>
        worker(4, 100_000, {
          ...{ base: 0.004 + random.next() / 500, perSequence: random.next() / 5000 },
          ...{ perKvToken: random.next() / 500_000, perPrefillToken: random.next() / 20_000 },
        }),
      );
      const summaries = await everyWay(trace, workers, {});
      expect(least(summaries), `seed ${seed}`).toBeGreaterThanOrEqual(summaries[0].barrierBound! * (1 - 1e-12));
    }
  });
});

/** Shares of the steps' time in which workers wait for the longest: all of it, and what no routing can spare them. */
function waits({ stepTime: time, barrierBound: bound, stepEven: even }: Summary) {
  return { all: (time! - even!) / time!, unavoidable: (bound! - even!) / time! };
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

async function jsqAgainstBfio(name: string, trace: Trace, workers: WorkerSpec[]) {
  const arrivals = { pool: 4 * workers.length };
  const [jsq, bfio] = await Promise.all(
    [routing.leastKv(), routing.bfio()].map(
      async (policy) => (await run(trace, workers, policy, { arrivals })).summary,
    ),
  );
  for (const [policy, one] of [
    ["JSQ", jsq],
    ["BF-IO", bfio],
  ] as const) {
    const { all, unavoidable } = waits(one);
    console.log(
      `${name}, ${policy}: waits ${percent(all)} of the steps' time, unavoidable ${percent(unavoidable)}, routable ${percent(one.routable!)}`,
    );
  }
  return { jsq, bfio };
}

describe("JSQ and BF-IO", () => {
  test("on a drawn trace: most of what JSQ waits is avoidable, and BF-IO avoids most of it", async () => {
    const workers = Array.from({ length: 8 }, () => worker(16, 100_000, { base: 0.005, perKvToken: 2e-6 }));
    const { jsq, bfio } = await jsqAgainstBfio("drawn, 8 x 16", drawn(1500, 5), workers);
    expect(waits(jsq).unavoidable).toBeLessThan(waits(jsq).all / 2);
    expect(bfio.routable!).toBeLessThan(jsq.routable! / 2);
  });

  test("where a step takes as long as the prompts in it, whole: much is avoidable, and neither avoids it", async () => {
    const { jsq, bfio } = await jsqAgainstBfio("drawn, with prefill, 8 x 16", drawn(1500, 5), alike(8, 16));
    expect(waits(bfio).unavoidable).toBeGreaterThan(0.05);
    expect(bfio.routable!).toBeGreaterThan(jsq.routable! / 2);
  });

  test.runIf(recordedDataPresent).each([
    ["burstgpt", 16, 72],
    ["longbench", 16, 16],
  ])(`on %s, %i x %i, with the step time of BF-IO's authors ${needsRecordedData}`, async (name, count, slots) => {
    const lines = recordedBytes(`requests/${name}_8000_lengths.csv.gz`).toString().trim().split("\n").slice(1, 4001);
    const lengths = lines.map((line) => line.split(",").map(Number));
    const trace = traceOf(
      new Array(lengths.length).fill(0),
      lengths.map(([s]) => s),
      lengths.map(([, o]) => o),
    );
    const base = (slots * 0.6e-3 + 35e-3) / 16;
    const workers = Array.from({ length: count }, () => worker(slots, 2 ** 40, { base, perKvToken: 1.005e-7 }));
    const { jsq, bfio } = await jsqAgainstBfio(`${name}, ${count} x ${slots}`, trace, workers);
    expect(bfio.routable!).toBeLessThan(jsq.routable! / 2);
  });
});
