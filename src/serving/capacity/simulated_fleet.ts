import { seeded } from "../../common/random.ts";
import { leastKv } from "../routing/least_kv.ts";
import { fcfs } from "../scheduling/fcfs.ts";
import { settingsOf, type WorkerSpec } from "../simulator/options.ts";
import { Simulation } from "../simulator/simulation.ts";
import { generateTrace } from "../trace/generate_trace.ts";
import type { Trace } from "../trace/trace.ts";
import type { DrawnLengths } from "./drawn_lengths.ts";
import { quantile } from "./quantile.ts";

/** A fleet at work. */
export interface Fleet {
  lengths: DrawnLengths;
  /** Requests per s, of all workers together. */
  rate: number;
  workers: number;
  worker: WorkerSpec;
  /** Prompt tokens of a step; Infinity: whole prompts. */
  chunk: number;
  /** s after which its beginning, when all workers were empty, is forgotten. */
  relaxation: number;
  percentile: number;
  /** A share of the requests that are simulated otherwise. */
  effort: number;
}

/** A percentile, by simulation. */
export interface Estimate {
  /** s. */
  value: number;
  /** Its standard error, s. */
  error: number;
}

export interface FleetLatency {
  ttft: Estimate;
  /** Of requests with two tokens or more; 0 where there are none. */
  tpot: Estimate;
}

/** Requests that count, at least. */
const COUNTED = 20_000;
const MOST_REQUESTS = 60_000;
/** Relaxation times before requests count, and while they do. */
const WARM = 3;
const MEASURED = 6;
/** Batches of consecutive requests, by whose percentiles the standard error is. */
const BATCHES = 20;

/**
 * The latency of a fleet whose router sends each request to the worker with the fewest KV tokens, which serves first come first served and lets the next one
 * begin as soon as the memory holds it to its end. Poisson arrivals. With the same requests, in the same order, however many workers there are:
 * what differs is due to them.
 */
export function fleetLatency(fleet: Fleet): FleetLatency {
  const { rate, workers, worker, chunk, relaxation, percentile } = fleet;
  const most = MOST_REQUESTS * fleet.effort;
  const warm = Math.ceil(Math.min(most / 3, WARM * relaxation * rate));
  const counted = Math.ceil(Math.min(most - warm, Math.max(COUNTED * fleet.effort, MEASURED * relaxation * rate)));
  const trace = evenTrace(fleet.lengths, warm + counted, rate);
  const simulation = new Simulation(
    trace,
    settingsOf({
      workers: new Array<WorkerSpec>(workers).fill(worker),
      clock: "seconds",
      routing: leastKv(),
      scheduling: fcfs({ admission: "future" }),
      prediction: "exact",
      prefill: chunk === Number.POSITIVE_INFINITY ? "whole" : { chunk },
    }),
  );
  simulation.runThrough();
  const { arrival, firstToken, finish, output } = simulation.requests;
  const ttft: number[] = [];
  const tpot: number[] = [];
  for (let i = warm; i < trace.requests; i++) {
    ttft.push(firstToken[i] - arrival[i]);
    if (output[i] > 1) tpot.push((finish[i] - firstToken[i]) / (output[i] - 1));
  }
  return { ttft: estimate(ttft, percentile), tpot: estimate(tpot, percentile) };
}

/**
 * Poisson arrivals of which as many come as their rate says, and each pair of lengths as often as any other: what a draw has by chance is no
 * property of the fleet.
 */
function evenTrace({ input, output }: DrawnLengths, requests: number, rate: number): Trace {
  const one = { input: [1], output: [1] };
  const { arrival } = generateTrace({ requests, seed: 0, rate: 1, lengths: one });
  const stretch = requests / rate / arrival[requests - 1];
  // Where there are more pairs than requests, some are left out: by chance, too.
  const random = seeded(1);
  const pairs = random.shuffle(Array.from(input, (_, i) => i));
  const order = random.shuffle(Array.from({ length: requests }, (_, i) => pairs[i % pairs.length]));
  return {
    requests,
    arrival: arrival.map((time) => time * stretch),
    input: Int32Array.from(order, (i) => input[i]),
    output: Int32Array.from(order, (i) => output[i]),
  };
}

/** @param values  in the order of arrival. */
function estimate(values: readonly number[], percentile: number): Estimate {
  if (values.length === 0) return { value: 0, error: 0 };
  const value = quantile(values, percentile);
  if (values.length < 2 * BATCHES) return { value, error: 0 };
  const edge = (b: number) => Math.round((b * values.length) / BATCHES);
  const batches = Array.from({ length: BATCHES }, (_, b) => quantile(values.slice(edge(b), edge(b + 1)), percentile));
  const mean = batches.reduce((a, b) => a + b) / BATCHES;
  const covariance = (lag: number) =>
    batches.slice(lag).reduce((sum, one, b) => sum + (one - mean) * (batches[b] - mean), 0) / (BATCHES - 1);
  // Near saturation batches know of each other.
  const variance = Math.max(covariance(0), covariance(0) + 2 * (covariance(1) + covariance(2)));
  return { value, error: Math.sqrt(variance / BATCHES) };
}
