/** The comparison with a run of vLLM: on a log that the simulator wrote itself, whose step time is known, and on the recorded one. */
import { describe, expect, test } from "vitest";
import { fitToLog, stepRows } from "../../bench/vllm_fit.ts";
import { type RunLog, readRunLog } from "../../bench/vllm_log.ts";
import { decodeSteps, promptCost } from "../../bench/vllm_misses.ts";
import { errorsOf, replay, replayPlannedAhead, runningAtTicks } from "../../bench/vllm_replay.ts";
import {
  generateTrace,
  routing,
  type SchedulingPolicy,
  type StepTime,
  scheduling,
  simulate,
} from "../../src/serving.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../helpers/recorded.ts";

const truth: StepTime = { base: 0.012, perSequence: 2e-4, perKvToken: 5e-8, perPrefillToken: 3e-5, perContext: 0 };
/** Of the logger against the engines', and the engines' against the clients'. */
const TICKS_BEGIN = -0.25;
const ENGINE_CLOCK = 5000;
const CLIENT_CLOCK = 1.7e9;

/** First come first served, telling before each step the time and the tokens that its worker has made. */
function counting(tell: (worker: number, now: number, tokens: number) => void): SchedulingPolicy {
  let workers = 0;
  return {
    name: "counting",
    create(options) {
      const worker = workers++;
      const inner = scheduling.fcfs().create(options);
      let ended = 0;
      const outputs = new Map<number, number>();
      return {
        arrived: (r) => {
          outputs.set(r.id, r.predicted as number);
          inner.arrived(r);
        },
        finished: (id) => {
          ended += outputs.get(id)!;
        },
        admit: (w, now, out) => inner.admit(w, now, out),
        evict: (w, need, out) => inner.evict(w, need, out),
        rest: (w, now) => {
          let tokens = ended;
          for (const { generated } of w.running) tokens += generated;
          tell(worker, now, tokens);
          return 0;
        },
      };
    },
  };
}

/** A simulated run in the form in which vLLM's would have been logged. */
async function loggedRun(): Promise<{ requests: string; series: string }> {
  const draw = (mean: number) =>
    Array.from({ length: 50 }, (_, k) => Math.round(mean * (0.6 + (0.8 * ((k * 29) % 50)) / 50)));
  const lengths = { input: draw(800), output: draw(500) };
  const trace = generateTrace({ requests: 200, seed: 5, rate: 8, lengths });
  const made: [now: number, tokens: number][][] = [[], []];
  const workers = Array.from({ length: 2 }, () => ({ slots: 128, kvTokens: 500_000, stepTime: truth }));
  const ran = await simulate(trace, {
    ...{ workers, clock: "seconds", barrier: true, prefill: { chunk: 2048 }, prediction: "exact" },
    ...{ routing: routing.waitingRunning(), scheduling: counting((g, now, tokens) => made[g].push([now, tokens])) },
  });
  const zero = trace.arrival[0];
  const line = (_: number, i: number) =>
    JSON.stringify({
      ...{ request_id: `bench-${i}`, input_toks: trace.input[i], output_toks: trace.output[i] },
      ...{ arrival_time: CLIENT_CLOCK + trace.arrival[i], queued_ts: ENGINE_CLOCK + ran.start[i] },
      ...{ scheduled_ts: ENGINE_CLOCK + ran.start[i], first_token_ts: ENGINE_CLOCK + ran.firstToken[i] },
      last_token_ts: ENGINE_CLOCK + ran.finish[i],
    });
  const total = trace.output.reduce((a, b) => a + b);
  const last = Math.max(...ran.finish);
  // A worker that runs nothing more tells nothing: what it made in its last step is counted with the end.
  const madeBy = (time: number) =>
    time > last ? total : made.reduce((sum, of) => sum + (of.findLast(([now]) => now < time)?.[1] ?? 0), 0);
  const rows = ["t,prompt_throughput,gen_throughput,running,waiting,kv_cache_pct"];
  for (let k = 1; zero + TICKS_BEGIN + k - 1 < last; k++) {
    const [from, to] = [zero + TICKS_BEGIN + k - 1, zero + TICKS_BEGIN + k];
    const prompts = trace.input.reduce(
      (sum, s, i) => sum + (ran.firstToken[i] >= from && ran.firstToken[i] < to ? s : 0),
      0,
    );
    const running = ran.start.reduce((sum, start, i) => sum + (start <= to && to < ran.finish[i] ? 1 : 0), 0);
    rows.push(`${k},${prompts},${madeBy(to) - madeBy(from)},${running},0,0`);
  }
  return { requests: Array.from(trace.input, line).join("\n"), series: `${rows.join("\n")}\n` };
}

describe("a run that the simulator has logged itself", () => {
  let files: Awaited<ReturnType<typeof loggedRun>>;
  let log: RunLog;
  test("is read, on one clock", async () => {
    files = await loggedRun();
    log = readRunLog(files.requests, files.series);
    expect(log.requests).toBe(200);
    expect(log.arrival[0]).toBe(0);
    expect(log.ticks[0].start).toBeGreaterThan(TICKS_BEGIN - 0.05);
    expect(log.ticks[0].start).toBeLessThan(TICKS_BEGIN + 0.05);
    expect(log.ticks.reduce((sum, { generated }) => sum + generated, 0)).toBe(log.output.reduce((a, b) => a + b));
    const moved = files.series.replace(/,(\d+)/, (_, prompts) => `,${Number(prompts) + 1}`);
    expect(() => readRunLog(files.requests, moved)).toThrow("not those of the requests");
  });

  test("is repeated to the rounding of its clocks with its own step time, and not with another", async () => {
    const own = errorsOf(log, await replay(log, truth), [0, 200]);
    for (const error of Object.values(own)) expect(error).toBeLessThan(1e-5);
    const slow = Object.fromEntries(Object.entries(truth).map(([key, value]) => [key, 1.25 * value]));
    const { latency, tpot } = errorsOf(log, await replay(log, slow as unknown as StepTime), [0, 200]);
    expect(latency).toBeGreaterThan(0.2);
    expect(tpot).toBeGreaterThan(0.2);
  });

  test("runs as many requests at each tick as it says", async () => {
    const running = runningAtTicks(log, await replay(log, truth));
    expect(Math.max(...running.map(({ recorded }) => recorded))).toBeGreaterThan(80);
    const apart = running.filter(({ recorded, predicted }) => recorded !== predicted);
    expect(apart.length).toBeLessThanOrEqual(2); // ticks' ends are known to a millisecond
  });

  test("is predicted by the step time of its first half", async () => {
    const { stepTime, error } = fitToLog(log, log.arrival[100]);
    expect(error).toBeLessThan(0.02);
    const predicted = await replay(log, stepTime);
    expect(errorsOf(log, predicted, [0, 100]).latency).toBeLessThan(0.02);
    // As requests come, n and K grow together, so that the fit cannot tell one from the other: not so over the whole run.
    expect(errorsOf(log, predicted, [100, 200]).latency).toBeLessThan(0.08);
    const all = fitToLog(log, Number.POSITIVE_INFINITY);
    const { latency, tpot } = errorsOf(log, await replay(log, all.stepTime), [0, 200]);
    expect(latency).toBeLessThan(0.02);
    expect(tpot).toBeLessThan(0.02);
  });

  test("tells a fit nothing of what comes after its cut", () => {
    const cut = log.ticks[11].end + 0.01;
    const later = (times: Float64Array) => times.map((time) => (time > cut ? 2 * time + 3 : time));
    const changed: RunLog = {
      ...log,
      ...{ arrival: later(log.arrival), scheduled: later(log.scheduled) },
      ...{ firstToken: later(log.firstToken), lastToken: later(log.lastToken) },
      ticks: log.ticks.map((tick) => (tick.end > cut ? { ...tick, generated: 7, prompts: 9, running: 1 } : tick)),
    };
    expect(stepRows(log, cut)).toHaveLength(12);
    expect(stepRows(changed, cut)).toEqual(stepRows(log, cut));
    expect(stepRows(changed, cut + 5)).not.toEqual(stepRows(log, cut + 5));
  });

  test("planned a step ahead gives first tokens a step later", async () => {
    const [now, ahead] = [await replay(log, truth), await replayPlannedAhead(log, truth)];
    const later = ahead.firstToken.reduce((sum, time, i) => sum + time - now.firstToken[i], 0) / log.requests;
    const longest = truth.base + 128 * truth.perSequence + 128 * 1500 * truth.perKvToken;
    expect(later).toBeGreaterThan(truth.base);
    expect(later).toBeLessThan(longest);
  });
});

test("what a prompt token costs is what steps with prefill last longer than those without, as many running", () => {
  const row = (running: number, prefillTokens: number) => {
    const time = 0.01 + 1e-4 * Math.sqrt(running) + 3e-5 * prefillTokens;
    return { running, kvTokens: 0, prefillTokens, context: 0, time };
  };
  const sizes = [100, 4, 25, 64];
  const rows = [...sizes.map((n) => row(n, 0)), row(25, 300), row(64, 800)];
  expect(promptCost(rows, 0, 60)).toBeCloseTo(3e-5, 12);
  expect(promptCost(rows, 60, 200)).toBeCloseTo(3e-5, 12);
  expect(promptCost(rows, 200, 256)).toBeNaN();
  const steps = decodeSteps(rows, truth);
  expect(steps.map(({ running }) => running)).toEqual([8, 50, 128, 200]);
  expect(steps[1].recorded).toBeCloseTo(0.0105, 12);
  expect(steps[1].fitted).toBeCloseTo(0.012 + 25 * 2e-4, 12);
});

describe(`vLLM 0.19, Qwen3-30B-A3B, two workers ${needsRecordedData}`, () => {
  const name = "perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_vllm_";
  const read = () =>
    readRunLog(recordedBytes(`${name}requests.jsonl`).toString(), recordedBytes(`${name}timeseries.csv`).toString());

  test.skipIf(!recordedDataPresent)("the second half is predicted from what was logged before it came", async () => {
    const log = read();
    expect(log.requests).toBe(300);
    const { stepTime, rows } = fitToLog(log, log.arrival[150]);
    expect(rows).toBe(14); // a second each: the 151st request came after 14.0 s
    const predicted = await replay(log, stepTime);
    for (const part of [
      [0, 150],
      [150, 300],
    ] as const) {
      const { latency, ttft, tpot } = errorsOf(log, predicted, part);
      expect(latency).toBeLessThan(0.1);
      expect(tpot).toBeLessThan(0.1);
      expect(ttft).toBeLessThan(0.5);
      // First tokens come too early in the simulation; the step that vLLM plans ahead is about half of that.
      const ahead = errorsOf(log, await replayPlannedAhead(log, stepTime), part);
      expect(ahead.ttft).toBeLessThan(0.7 * ttft);
      expect(ahead.latency).toBeLessThan(0.1);
    }
    const running = runningAtTicks(log, predicted);
    const apart = running.reduce((sum, at) => sum + Math.abs(at.recorded - at.predicted), 0) / running.length;
    expect(apart).toBeLessThan(8);
  });

  test.skipIf(!recordedDataPresent)("a step time that is a third too long is seen", async () => {
    const log = read();
    const { stepTime } = fitToLog(log, log.arrival[150]);
    const slow = { ...stepTime, base: 1.33 * stepTime.base, perSequence: 1.33 * stepTime.perSequence };
    expect(errorsOf(log, await replay(log, slow), [150, 300]).latency).toBeGreaterThan(0.2);
  });
});
