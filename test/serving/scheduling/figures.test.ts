/** Figures of the papers' settings, and of other programs for the same rules. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import type { Prediction } from "../../../src/serving/simulator/prediction.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedDataPresent } from "../../helpers/recorded.ts";
import { burstgpt } from "../burstgpt.ts";
import { inRounds, meanLatency, traceOf } from "./hand.ts";

describe.runIf(recordedDataPresent)(`1,000 BurstGPT requests on 16,492 tokens ${needsRecordedData}`, () => {
  test.each([
    ["at once, FCFS", 0, scheduling.fcfs({ admission: "future" }), 1713],
    ["at once, MC-SF", 0, scheduling.mcsf(), 244],
    ["at once, SVF", 0, scheduling.svf(), 205.05],
    ["0.8 per round, FCFS", 0.8, scheduling.fcfs({ admission: "future" }), 1150],
    ["0.8 per round, MC-SF", 0.8, scheduling.mcsf(), 140],
    ["0.8 per round, SVF", 0.8, scheduling.svf(), 117.45],
    ["0.2 per round, SVF", 0.2, scheduling.svf(), 67.47],
  ] as const)("%s", async (_, rate, policy, mean) => {
    const trace = burstgpt(1000, rate);
    const simulated = await inRounds(trace, 16_492, policy);
    // To the last digit that is told.
    expect(Math.abs(meanLatency(simulated, trace) - mean)).toBeLessThanOrEqual(Number.isInteger(mean) ? 0.5 : 0.005);
    expect(simulated.summary.evictions).toBe(0);
  });
});

test("a few large requests that end at once, and many small ones: the shortest first is eleven times slower", async () => {
  const rows = Array.from({ length: 2100 }, (_, i) => (i < 100 ? ([900, 1] as const) : ([1, 2] as const)));
  const trace = traceOf(rows);
  const mean = async (policy: ReturnType<typeof scheduling.svf>) =>
    meanLatency(await inRounds(trace, 1000, policy), trace);
  // One large one fits at a time: the shortest first lets 2,000 small ones wait for 100 rounds.
  expect((await mean(scheduling.mcsf())).toFixed(1)).toBe("104.1");
  expect((await mean(scheduling.svf())).toFixed(2)).toBe("9.65");
  expect((await mean(scheduling.sortedF())).toFixed(2)).toBe("9.65");
});

/** 400 requests of 40 tokens, outputs geometric of mean 85, at most 500. */
function geometric(seed: number): Trace {
  const { next } = seeded(seed);
  const output = () => Math.min(500, Math.ceil(Math.log(1 - next()) / Math.log(1 - 1 / 85)) || 1);
  return traceOf(Array.from({ length: 400 }, () => [40, output()] as const));
}

test("A_min stays near the exact order and A_max does not, as intervals widen", async () => {
  const mean = async (policy: (typeof scheduling)["aMin" | "aMax" | "mcsf"], prediction: Prediction) => {
    let sum = 0;
    for (let seed = 0; seed < 12; seed++) {
      const trace = geometric(100 + seed);
      sum += meanLatency(await inRounds(trace, 8000, policy(), { prediction, seed }), trace) / 12;
    }
    return sum;
  };
  const exact = await mean(scheduling.mcsf, "exact");
  const narrow: Prediction = { bins: 50 };
  const wide: Prediction = { interval: [1, 500] };
  // The figures are of one draw: latency / that of the exact order, 127.3.
  for (const [policy, prediction, latency] of [
    [scheduling.aMin, narrow, 137.6],
    [scheduling.aMax, narrow, 169.7],
    [scheduling.aMin, wide, 219.8],
    [scheduling.aMax, wide, 902.9],
  ] as const) {
    const ratio = (await mean(policy, prediction)) / exact;
    expect(Math.abs(ratio / (latency / 127.3) - 1), `${latency}: ${ratio * 127.3}`).toBeLessThan(0.05);
  }
});
