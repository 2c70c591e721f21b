/** The simulator of BF-IO's authors, as they ran it: the same requests, pool and step time, all figures that they report. */
import { describe, expect, test } from "vitest";
import { routing } from "../../../src/serving/routing/routing.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Simulated } from "../../../src/serving/simulator/simulated.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent, recordedJson } from "../../helpers/recorded.ts";

interface Row {
  trace: string;
  workers: number;
  slots: number;
  requests: number;
  policy: "FCFS" | "JSQ" | "RR" | "BF-IO";
  horizon: number | null;
  [figure: string]: number | string | null;
}

const rows: Row[] = recordedDataPresent ? recordedJson("vectors/bfio_vectors.json").results : [];
const policies = { FCFS: routing.firstFit, JSQ: routing.leastKv, RR: routing.roundRobin };

/** The first of their sample, in file order. */
function sampled({ trace, requests }: Row): Trace {
  const lines = recordedBytes(`requests/${trace}_8000_lengths.csv.gz`).toString().trim().split("\n");
  const lengths = lines.slice(1, 1 + requests).map((line) => line.split(",").map(Number));
  const input = Int32Array.from(lengths, ([tokens]) => tokens);
  const output = Int32Array.from(lengths, ([, tokens]) => tokens);
  return { requests, arrival: new Float64Array(requests), input, output };
}

const simulated = (row: Row, trace: Trace, policy = policies[row.policy as keyof typeof policies]()) => {
  const base = (row.slots * 0.6e-3 + 35e-3) / 16;
  const perKvToken = (1.5 * 2 * 576 * 61e-6) / 2 ** 20;
  const stepTime = { base, perKvToken, perSequence: 0, perPrefillToken: 0, perContext: 0 };
  return simulate(trace, {
    workers: Array.from({ length: row.workers }, () => ({ slots: row.slots, kvTokens: 2 ** 40, stepTime })),
    ...{ clock: "seconds", barrier: true, arrivals: { pool: 4 * row.workers }, routing: policy, prediction: "exact" },
  });
};

/** By their names. */
function figures({ start, finish, summary }: Simulated, { requests, output }: Trace) {
  const perToken = finish.map((time, i) => (time - start[i]) / output[i]);
  return {
    steps: summary.steps,
    makespan: summary.makespan,
    avg_latency: finish.reduce((a, b) => a + b) / requests, // from 0, not from the pool
    avg_latency_per_token: perToken.reduce((a, b) => a + b) / requests,
    throughput_tokens_per_sec: summary.tokenThroughput,
    avg_gpu_imbalance: summary.imbalance,
    avg_gpu_utilization: summary.slotUse,
    avg_gpu_idle_rate: summary.idle,
    total_energy: summary.energy,
  };
}

describe.runIf(recordedDataPresent)(`BF-IO's authors ${needsRecordedData}`, () => {
  const simple = rows.filter(({ policy }) => policy !== "BF-IO");

  test.each(simple)("$policy on $trace, $workers x $slots: every figure", async (row) => {
    const trace = sampled(row);
    const ours = figures(await simulated(row, trace), trace);
    for (const [name, value] of Object.entries(ours)) {
      expect(Math.abs(value / (row[name] as number) - 1), name).toBeLessThan(1e-9);
    }
  });

  const theirs = rows.filter(({ policy }) => policy === "BF-IO");
  const settings = theirs.filter(({ horizon }) => horizon === 0);

  test.each(settings)("BF-IO on $trace, $workers x $slots: our best horizon is no worse than theirs", async (row) => {
    const trace = sampled(row);
    const imbalances = theirs.filter((one) => one.trace === row.trace && one.workers === row.workers);
    const ours: number[] = [];
    for (const { horizon, avg_gpu_imbalance: imbalance } of imbalances) {
      const undiscounted = await simulated(row, trace, routing.bfio({ horizon: horizon!, gamma: 1 }));
      ours.push(undiscounted.summary.imbalance);
      const name = `${row.trace} ${row.workers} x ${row.slots}, H = ${horizon}`;
      console.log(`${name}: imbalance ${Math.round(ours.at(-1)!)}, theirs ${Math.round(imbalance as number)}`);
    }
    const byDefault = (await simulated(row, trace, routing.bfio())).summary.imbalance;
    console.log(`${row.trace} ${row.workers} x ${row.slots}, by default: imbalance ${Math.round(byDefault)}`);
    const best = Math.min(...imbalances.map(({ avg_gpu_imbalance }) => avg_gpu_imbalance as number));
    expect(Math.min(...ours)).toBeLessThanOrEqual(best);
    expect(byDefault).toBeLessThanOrEqual(best);
  });

  test("are 12 runs of simple policies, and 12 of BF-IO in 4 settings", () =>
    expect([simple.length, theirs.length, settings.length]).toEqual([12, 12, 4]));
});
