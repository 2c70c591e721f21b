import { seeded } from "../../common/random.ts";
import { leastKv } from "../routing/least_kv.ts";
import { fcfs } from "../scheduling/fcfs.ts";
import { settingsOf, type WorkerSpec } from "../simulator/options.ts";
import { Simulation } from "../simulator/simulation.ts";
import { generateTrace } from "../trace/generate_trace.ts";
import type { Trace } from "../trace/trace.ts";
import { type DrawnLengths, meanOf } from "./drawn_lengths.ts";
import { latenciesFrom } from "./latencies.ts";
import { quantile } from "./quantile.ts";
import { heldTokenSteps } from "./request_work.ts";

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
  const simulation = simulated(trace, new Array<WorkerSpec>(workers).fill(worker), chunk);
  const { ttft, tpot } = latenciesFrom(simulation.requests, trace.output, warm);
  return { ttft: estimate(ttft, percentile), tpot: estimate(tpot, percentile) };
}

function simulated(trace: Trace, workers: WorkerSpec[], chunk: number): Simulation {
  const simulation = new Simulation(
    trace,
    settingsOf({
      ...{ workers, clock: "seconds", routing: leastKv(), scheduling: fcfs({ admission: "future" }) },
      ...{ prediction: "exact", prefill: chunk === Number.POSITIVE_INFINITY ? "whole" : { chunk } },
    }),
  );
  simulation.runThrough();
  return simulation;
}

/** Fills of a worker that are served to see how fast it is, and how many requests these may be. */
const FILLS = 30;
const FEWEST_AT_ONCE = 2000;

/**
 * @param atOnce  requests that a worker runs when it is full, about.
 * @returns the requests per s of a worker of such a fleet for which more than enough wait: token-steps per s over those of a request on average, so
 * that what happens to be short or long makes no difference.
 */
export function saturatedRate(fleet: Pick<Fleet, "lengths" | "worker" | "chunk">, atOnce: number): number {
  const { lengths, worker, chunk } = fleet;
  const requests = Math.ceil(Math.min(MOST_REQUESTS, Math.max(FEWEST_AT_ONCE, FILLS * atOnce)));
  const trace = { ...evenTrace(lengths, requests, 1), arrival: new Float64Array(requests) };
  const { start, finish } = simulated(trace, [worker], chunk).requests;
  const tokenSteps = (s: number, o: number) => heldTokenSteps(s, o, chunk);
  // From when it is full, and those that began with it are gone, to the last start.
  const to = start[requests - 1];
  const from = to / 4;
  let served = 0;
  for (let i = 0; i < requests; i++) {
    const inside = Math.min(finish[i], to) - Math.max(start[i], from);
    if (inside > 0) served += (tokenSteps(trace.input[i], trace.output[i]) * inside) / (finish[i] - start[i]);
  }
  return served / meanOf(lengths, tokenSteps) / (to - from);
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
