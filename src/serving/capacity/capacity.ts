import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkSlo, checkStepTime, isCount, type Slo } from "../simulator/options.ts";
import type { StepTime } from "../step_time.ts";
import { type Lengths, rateOf } from "../trace/generate_trace.ts";
import { type DrawnLengths, drawnLengths, largestPeak } from "./drawn_lengths.ts";
import { type RequestWork, requestWork } from "./request_work.ts";
import { saturatedRate } from "./simulated_fleet.ts";
import { fewestWithin, RESERVE } from "./slo_search.ts";
import { requireRoom } from "./stability.ts";
import { sustainedRate, type WorkerSettings } from "./sustained_rate.ts";
import { requireChunk } from "./token_steps.ts";
import { requirePercentile } from "./waiting_time.ts";

/** Requests that a fleet is to serve. */
export interface Workload {
  /** All equally likely; of ServeGen's clients the first 20,000. */
  lengths: Lengths;
  /** Requests per s, from 1e-6 to 1e9; Poisson arrivals. */
  rate: number;
}

/** A worker, and what is asked of the fleet. */
export interface CapacityOptions {
  /** M: KV tokens of a worker. */
  kvTokens: number;
  /** B: requests that a worker runs at once. By default as many as its memory holds. */
  slots?: number;
  /** Prompt tokens that a step prefills; by default whole prompts. */
  chunk?: number;
  stepTime: StepTime;
  slo?: Slo;
  /** Of TTFT and of TPOT, which must each be within the SLO. Default 95. */
  percentile?: number;
}

/** How many workers each constraint needs by itself. */
export interface WorkersNeeded {
  /** Their time: with unlimited memory and slots fewer are overrun. */
  stability: number;
  /** Their memory and slots: with fewer these are full, and requests queue without bound; without an SLO, so many as are proven not to. */
  memory: number;
  /** The SLO; undefined without one. */
  slo?: number;
}

export interface Capacity {
  workers: number;
  /** Which constraint needs so many: of those that need as many the first of stability, memory, slo. */
  binding: "stability" | "memory" | "slo";
  /** Requests per s of a worker, beyond which its queue grows. */
  mu: number;
  /** Requests per s that one more worker adds, within all constraints. */
  next: number;
  needs: WorkersNeeded;
  /** max(s + o) / M. */
  delta: number;
  /** rate / (workers mu). */
  utilization: number;
  /** The fluid equilibrium at this size: s per step, requests and KV tokens that a worker holds. */
  stepTime: number;
  batch: number;
  kvTokens: number;
  /** s, the percentiles at this size; undefined without an SLO. */
  ttft?: number;
  tpot?: number;
}

const workloadFields: FieldsOf<Workload> = { lengths: true, rate: true };
const optionFields: FieldsOf<CapacityOptions> = {
  ...{ kvTokens: true, slots: true, chunk: true, stepTime: true, slo: true, percentile: true },
};

/**
 * How many workers serve a workload, why so many, and what the next one buys.
 *
 * A request takes part in n steps, holds h token-steps of KV in them, and makes them W seconds longer in all:
 *
 *   stability   lambda W < N,   W = c_seq E[n] + c_kv E[h - o] + c_pre E[s] + c_ctx E[s^2] / 2
 *   memory      lambda < N mu,  mu = min(M / (c0 E[h] + M W), B / (c0 E[n] + B W))
 *   slo         the percentile of TTFT, and that of TPOT, is within its limit
 *
 * The first is the fluid's d1 Gamma < 1. The second is Nie's mu = M / (b E[g]) of `stability` with the step b of a full memory, and likewise of full slots; h is
 * g as `simulate` has it, where the last chunk makes the first token and all of a prompt is held from its first chunk on. Without an SLO lambda <= N mu
 * (1 - delta) is asked for, below which every work-conserving policy is stable; with a limit of TPOT alone, which does not tell of a queue, less
 * than a worker serves in a simulation in which more than enough wait.
 *
 * The SLO is asked of one policy: each request goes to the worker with the fewest KV tokens, and is served first come first served, as soon as the memory
 * holds it to its end (`leastKv`, `fcfs` with admission "future", exact predictions). What such a fleet's percentile is, queues, bursts and the prompts
 * of others included, has no closed form that is good to one worker. So it is simulated, from the fluid's size on, with 1 % more than the rate and
 * 0.7 standard errors to spare, for as many requests as let it forget its beginning, 60,000 at most. Fleets of more than 48 workers are as one of 48
 * with its share of the rate, and sizes beyond 200 are found to 1 %. It takes a second or a few; the same arguments give the same answer. Of
 * 100 random workloads on which nothing of this was tuned, the fleets met the SLO in other draws in 98, two being 0.1 % above it; one worker fewer missed it in
 * 77, two in 96 (bench/capacity.ts).
 *
 * Not handled: requests that come in more than Poisson bursts, evictions, prefix caches.
 *
 * @throws {ArgumentError} Something is missing, unknown or out of range; a request is larger than the memory; no number of workers meets the SLO,
 * because a request that is alone on a worker does not.
 * @see C. Nie, Y. Si, Z. Zhou, arXiv 2605.04595; R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320.
 */
export function capacity(workload: Workload, options: CapacityOptions): Capacity {
  const settings = checked(workload, options);
  const { lengths, rate, stepTime, chunk, slo } = settings;
  const work = requestWork(lengths, stepTime, chunk);
  const delta = largestPeak(lengths) / settings.kvTokens;
  const mu = sustainedRate(work, settings);
  const proven = mu * (1 - delta);
  const stability = moreThan(rate * work.seconds);
  const known = { mu, delta };
  if (slo === undefined) {
    if (proven === 0) throw noProof(settings.kvTokens);
    const needs = { stability, memory: Math.ceil(rate / proven) };
    const size = sizeOf(needs);
    return { ...size, ...known, next: proven, needs, ...equilibrium(size.workers, work, settings, mu) };
  }
  // TTFT tells of a queue that grows, but TPOT by itself does not.
  const most = slo.ttft === undefined ? Math.min(mu, saturated(work, settings)) : mu;
  const memory = moreThan(rate / most);
  const found = fewestWithin({ ...settings, slo, work, mu: most }, Math.max(stability, memory));
  const needs = { stability, memory, slo: found.workers };
  const { ttft, tpot } = found.latency;
  const latency = { next: found.next, ttft: ttft.value, tpot: tpot.value };
  return { ...sizeOf(needs), ...known, needs, ...equilibrium(found.workers, work, settings, mu), ...latency };
}

/** Requests per s of a worker that FCFS keeps as full as it can, less what no rate is known to. */
function saturated(work: RequestWork, { lengths, chunk, slots, ...worker }: Settings): number {
  const atOnce = Math.min(slots, (worker.kvTokens / work.tokenSteps) * work.steps);
  const { kvTokens, stepTime } = worker;
  const spec = { kvTokens, stepTime, slots: Math.min(slots, Number.MAX_SAFE_INTEGER) };
  return saturatedRate({ lengths, chunk, worker: spec }, atOnce) / (1 + RESERVE);
}

/** The least integer above it. */
const moreThan = (x: number) => Math.floor(x) + 1;

function sizeOf(needs: WorkersNeeded): Pick<Capacity, "workers" | "binding"> {
  const { stability, memory, slo = 0 } = needs;
  const workers = Math.max(stability, memory, slo);
  return { workers, binding: workers === stability ? "stability" : workers === memory ? "memory" : "slo" };
}

function equilibrium(workers: number, work: RequestWork, { rate, stepTime }: Settings, mu: number) {
  const share = rate / workers;
  const step = stepTime.base / (1 - share * work.seconds);
  return {
    ...{ utilization: share / mu, stepTime: step },
    ...{ batch: share * work.steps * step, kvTokens: share * work.tokenSteps * step },
  };
}

interface Settings extends WorkerSettings {
  lengths: DrawnLengths;
  rate: number;
  slo: Slo | undefined;
  percentile: number;
}

function checked(workload: Workload, options: CapacityOptions): Settings {
  requireObject("workload", workload, workloadFields);
  requireObject("options", options, optionFields);
  const { kvTokens, slots, chunk = Number.POSITIVE_INFINITY, stepTime, slo, percentile = 95 } = options;
  const rate = rateOf(workload.rate);
  const lengths = drawnLengths(workload.lengths);
  requireRoom(lengths, kvTokens);
  if (slots !== undefined && !isCount(slots)) throw new ArgumentError("slots", "an integer >= 1", slots);
  requireChunk(chunk);
  checkStepTime("stepTime", stepTime);
  if (slo !== undefined) checkSlo("slo", slo);
  requirePercentile(percentile);
  return { lengths, rate, kvTokens, slots: slots ?? Number.POSITIVE_INFINITY, chunk, stepTime, slo, percentile };
}

function noProof(peak: number): ArgumentError {
  const remedy =
    "Of a worker that a single request fills nothing is proven; give a limit of TTFT, with which the fleet is simulated.";
  return new ArgumentError("kvTokens", `more than the ${peak} tokens of the largest request`, peak, remedy);
}
