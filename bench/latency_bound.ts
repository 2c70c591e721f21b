/**
 * How close does a proven bound come to what schedules reach, how long does it take, and what does a GPU save?
 *
 *   node scripts/run.mjs bench/latency_bound.ts LENGTHS [--kv-tokens 16492] [--steps-of 10000] [--json FILE]
 *
 * LENGTHS: a file of prompt and output lengths, such as BurstGPT's. First the bound of mean latency in rounds, beside first come first served,
 * shortest volume first and the best schedule found: 1,000 and all requests at once, and 1,000 as they come. Then the time of an ascent step, an evaluation of D and its
 * supergradient, on WebGPU beside the CPU: medians of 5, both seen to find the same.
 */
import { createReadStream, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { Pauses } from "../src/common/pauses.ts";
import { sharedDevice } from "../src/gpu/device.ts";
import { Dual } from "../src/serving/bound/dual.ts";
import { firstPrices, firstStarts } from "../src/serving/bound/first_prices.ts";
import { cpuPricing } from "../src/serving/bound/pricing.ts";
import { timedRequests } from "../src/serving/bound/timed_requests.ts";
import { webgpuPricing } from "../src/serving/bound/webgpu_pricing.ts";
import {
  certifyBound,
  generateTrace,
  improveSchedule,
  latencyBound,
  readTrace,
  routing,
  type SchedulingPolicy,
  scheduling,
  simulate,
  type Trace,
} from "../src/serving.ts";
import { Waker } from "./wake.ts";

const RUNS = 5;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "kv-tokens": { type: "string", default: "16492" },
    "steps-of": { type: "string", default: "10000" },
    json: { type: "string" },
  },
});
const kvTokens = Number(values["kv-tokens"]);
const lengths = await readTrace(createReadStream(positionals[0]));
const bounds = [await bounded(1000, 0, 1000), await bounded(1000, 0.8, 1000), await bounded(lengths.requests, 0, 10)];
console.log(`${kvTokens} KV tokens; ${cpus()[0].model}, Node ${process.version}\n`);
console.log(
  plainTable([
    [
      "requests",
      "per round",
      "FCFS",
      "SVF",
      "best found",
      "bound",
      "SVF / bound",
      "best / bound",
      "evaluations",
      "s",
      "s of best",
    ],
    ...bounds.map((row) => [
      String(row.requests),
      row.rate === 0 ? "at once" : String(row.rate),
      ...[row.fcfs, row.svf, row.best, row.bound].map((x) => x.toFixed(2)),
      ...[row.svf, row.best].map((x) => (x / row.bound).toFixed(4)),
      String(row.evaluations),
      ...[row.seconds, row.bestSeconds].map((x) => x.toFixed(2)),
    ]),
  ]),
);
const { adapter } = await sharedDevice();
const steps = [await stepTimes(Number(values["steps-of"]), 0), await stepTimes(Number(values["steps-of"]), 0.8)];
console.log(`\nms per ascent step; WebGPU on ${adapter.name}${adapter.software ? ", which runs on the CPU" : ""}\n`);
console.log(
  plainTable([
    ["requests", "per round", "rounds", "CPU", "WebGPU", "CPU / WebGPU"],
    ...steps.map((row) => [
      String(row.requests),
      row.rate === 0 ? "at once" : String(row.rate),
      String(row.rounds),
      ...[row.cpuMs, row.webgpuMs].map((ms) => ms.toFixed(2)),
      (row.cpuMs / row.webgpuMs).toFixed(2),
    ]),
  ]),
);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ bounds, adapter: adapter.name, steps }, null, 1)}\n`);
process.exit(); // the device would keep the process

/** The first requests of the file, at once or as a Poisson process in whole rounds; drawn from it where there are more. */
function traceOf(requests: number, rate: number): Trace {
  const drawn = generateTrace({
    requests,
    seed: 1,
    rate: rate || 1,
    arrivals: rate === 0 ? "burst" : "poisson",
    lengths,
  });
  const arrival = drawn.arrival.map(Math.floor);
  if (requests > lengths.requests) return { ...drawn, arrival };
  return { requests, arrival, input: lengths.input.slice(0, requests), output: lengths.output.slice(0, requests) };
}

async function bounded(requests: number, rate: number, evaluations: number) {
  const trace = traceOf(requests, rate);
  const begun = performance.now();
  const {
    total,
    mean,
    prices,
    evaluations: made,
  } = await latencyBound(trace, { kvTokens, evaluations, backend: "cpu" });
  const seconds = (performance.now() - begun) / 1000;
  const certified = certifyBound(trace, { kvTokens }, prices);
  if (!certified.valid || certified.total !== total) throw new Error("The bound is not what its prices prove.");
  const meanOf = async (policy: SchedulingPolicy) => {
    const worker = { slots: requests, kvTokens };
    const options = { clock: "rounds", prediction: "exact", routing: routing.roundRobin() } as const;
    return (await simulate(trace, { ...options, workers: [worker], scheduling: policy })).summary.latency.mean;
  };
  const fcfs = await meanOf(scheduling.fcfs({ admission: "future" }));
  const searched = performance.now();
  const { mean: best } = await improveSchedule(trace, { kvTokens, prices });
  const bestSeconds = (performance.now() - searched) / 1000;
  const svf = await meanOf(scheduling.svf());
  return { requests, rate, fcfs, svf, best, bound: mean, evaluations: made, seconds, bestSeconds };
}

async function stepTimes(requests: number, rate: number) {
  const trace = traceOf(requests, rate);
  const pool = { memory: kvTokens, slots: Number.POSITIVE_INFINITY };
  const timed = timedRequests(trace, 0, requests, 0);
  const [prices] = firstPrices(timed, Int32Array.from(await firstStarts(trace, pool, undefined)), pool);
  const rounds = prices.kv.length - 1;
  const { device, adapter } = await sharedDevice();
  if (!adapter.software) await new Waker(device).wake();
  const values: number[] = [];
  const ms: number[] = [];
  for (const pricing of [cpuPricing(timed, new Pauses()), await webgpuPricing(device, timed, rounds)]) {
    const dual = new Dual(timed, pool, rounds, pricing);
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const begun = performance.now();
      values.push(await dual.evaluate(prices));
      times.push(performance.now() - begun);
    }
    pricing.destroy();
    ms.push(times.sort((a, b) => a - b)[RUNS >> 1]);
  }
  for (const value of values) {
    if (Math.abs(value / values[0] - 1) > 1e-4) throw new Error(`WebGPU finds ${value}, the CPU ${values[0]}.`);
  }
  return { requests, rate, rounds, cpuMs: ms[0], webgpuMs: ms[1] };
}
