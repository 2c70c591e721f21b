import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireKnown, requireObject } from "../../common/objects.ts";
import type { CachePolicy } from "../caching/cache_policy.ts";
import { lru } from "../caching/lru.ts";
import { type ExpertParallelism, expertTimesOf } from "../experts/expert_parallelism.ts";
import type { ExpertTimes } from "../experts/expert_times.ts";
import type { RoutingPolicy, SchedulingPolicy } from "../policy.ts";
import { requirePolicy } from "../policy_answers.ts";
import { fcfs } from "../scheduling/fcfs.ts";
import { type StepTime, stepTimeFields } from "../step_time.ts";
import { type EmbeddingOptions, type EmbeddingSettings, embeddingSettings } from "./embedding_options.ts";
import type { Prediction } from "./prediction.ts";

export interface WorkerSpec {
  /** B: requests that run at once. */
  slots: number;
  /** M: tokens of KV memory. */
  kvTokens: number;
  /** Required with clock "seconds", and of no meaning with "rounds". */
  stepTime?: StepTime;
}

/** Prompts are prefilled by workers of their own, whole, as many at once as fit their slots and memory, first come first served. */
export interface PrefillPool {
  pool: WorkerSpec[];
  /** KV tokens per s (or round) from prefill to decode, for each request by itself. The transfer counts towards TTFT. */
  bandwidth: number;
}

/** Limits of a request, in s (or rounds). */
export interface Slo {
  /** To the first token. */
  ttft?: number;
  /** Per token after it. */
  tpot?: number;
}

export interface SimulateOptions {
  workers: WorkerSpec[];
  /** "rounds": a step is one unit of time. "seconds": it lasts what the worker's step time says. */
  clock: "rounds" | "seconds";
  routing: RoutingPolicy;
  /** First come first served by default. */
  scheduling?: SchedulingPolicy;
  /**
   * What each worker's prefix cache keeps in the memory that no running request holds: by default the least recently used blocks go first. Its capacity
   * is the worker's whole memory, keys are ids of blocks, sizes their tokens, and a cost what prefilling the block takes: s, with rounds tokens.
   */
  caching?: CachePolicy;
  /** Caches of embeddings, of a trace with images; with clock "seconds" alone. Without them images take no time of their own. */
  embeddings?: EmbeddingOptions;
  /** All workers step together and wait for the longest, as with DP attention and expert parallelism. Default false. */
  barrier?: boolean;
  /**
   * "whole" (default): a prompt in one step, beside the tokens of the others; the step makes its first token. { chunk }: at most so many prompt
   * tokens in a step of a worker, of the oldest first. { pool, bandwidth }: elsewhere.
   */
  prefill?: "whole" | { chunk: number } | PrefillPool;
  /** "replay" (default): as in the trace. { pool: R }: R requests wait at the router, refilled in the trace's order whenever some begin. */
  arrivals?: "replay" | { pool: number };
  /**
   * What an evicted request begins again with: "restart" (default): with its prompt alone, as in the papers; "recompute": with the tokens, too, that
   * it has made, whose KV is computed anew together with the prompt's, as engines do.
   */
  eviction?: "restart" | "recompute";
  /** MoE layers, whose time every step has besides: with a barrier and clock "seconds" alone. */
  experts?: ExpertParallelism;
  /** "none" by default. */
  prediction?: Prediction;
  /** s, or rounds, between two readings of the workers' signals by the router; 0 (default), and always with a closed pool: it sees them as they are. */
  staleness?: number;
  /**
   * What becomes of a request that does not fit in a worker's memory at its end: an error before anything is simulated (default), if that is so of any
   * worker; "reject": it is rejected and counted, if it fits in none or is sent to one that is too small.
   */
  tooLarge?: "error" | "reject";
  /** What goodput asks for: of all requests alike, or of each class by its number. */
  slo?: Slo | Slo[];
  /** s (or rounds) from the beginning that no figure of the summary counts. Default 0. */
  warmUp?: number;
  /** Of policies and predictions that draw by chance. Default 0. */
  seed?: number;
  signal?: AbortSignal;
  /** Share of the requests that are served. */
  onProgress?: (share: number) => void;
}

const fields: FieldsOf<SimulateOptions> = {
  ...{
    workers: true,
    clock: true,
    routing: true,
    scheduling: true,
    caching: true,
    embeddings: true,
    barrier: true,
    prefill: true,
    arrivals: true,
    eviction: true,
    experts: true,
  },
  ...{ prediction: true, staleness: true, tooLarge: true, slo: true, warmUp: true, seed: true, signal: true },
  onProgress: true,
};

/** With defaults; `prefill` and `arrivals` taken apart. */
export interface Settings {
  workers: readonly WorkerSpec[];
  rounds: boolean;
  routing: RoutingPolicy;
  scheduling: SchedulingPolicy;
  caching: CachePolicy;
  embeddings: EmbeddingSettings | undefined;
  barrier: boolean;
  /** Most prompt tokens that a step of a worker prefills. */
  chunk: number;
  prefill: PrefillPool | undefined;
  /** R; undefined: the trace's arrivals. */
  pool: number | undefined;
  prediction: Prediction;
  staleness: number;
  reject: boolean;
  recompute: boolean;
  experts: ExpertTimes | undefined;
  slo: Slo | readonly Slo[] | undefined;
  warmUp: number;
  seed: number;
}

/** @throws {ArgumentError} Anything that is missing, unknown or out of range. */
export function settingsOf(options: SimulateOptions): Settings {
  requireObject("options", options, fields);
  const { clock, barrier = false, prefill = "whole", tooLarge = "error", eviction = "restart", slo } = options;
  if (clock !== "rounds" && clock !== "seconds") throw new ArgumentError("clock", '"rounds" or "seconds"', clock);
  if (typeof barrier !== "boolean") throw new ArgumentError("barrier", "true or false", barrier);
  if (tooLarge !== "error" && tooLarge !== "reject")
    throw new ArgumentError("tooLarge", '"error" or "reject"', tooLarge);
  if (eviction !== "restart" && eviction !== "recompute")
    throw new ArgumentError("eviction", '"restart" or "recompute"', eviction);
  const { routing, scheduling = fcfs(), caching = lru(), embeddings } = options;
  requirePolicy("routing", routing);
  requirePolicy("scheduling", scheduling);
  requirePolicy("caching", caching);
  const rounds = clock === "rounds";
  checkWorkers("workers", options.workers, rounds);
  if (Array.isArray(slo) && slo.length === 0)
    throw new ArgumentError("slo", "limits, or those of a class at least", slo);
  if (Array.isArray(slo)) slo.forEach((one, j) => void checkSlo(`slo[${j}]`, one));
  else if (slo !== undefined) checkSlo("slo", slo);
  requireCalls(options);
  const { staleness = 0, warmUp = 0, seed = 0 } = options;
  checkTime("staleness", staleness);
  checkTime("warmUp", warmUp);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  const pool = closedPoolOf(options.arrivals ?? "replay");
  if (pool !== undefined && staleness > 0) {
    throw new ArgumentError("staleness", "0 with a closed pool, which is refilled as slots become free", staleness);
  }
  return {
    ...{ workers: options.workers, rounds, routing, scheduling, caching, barrier, slo, staleness, warmUp, seed },
    ...{ chunk: chunkOf(prefill), prefill: poolOf(prefill, rounds), pool },
    embeddings: embeddings && embeddingSettings(embeddings, rounds),
    prediction: options.prediction === undefined ? "none" : options.prediction,
    reject: tooLarge === "reject",
    recompute: eviction === "recompute",
    experts: options.experts === undefined ? undefined : expertTimesOf(options.experts, barrier, rounds),
  };
}

function checkWorkers(argument: string, workers: readonly WorkerSpec[], rounds: boolean): void {
  if (!Array.isArray(workers) || workers.length === 0)
    throw new ArgumentError(argument, "an array of at least one worker", workers);
  for (const [g, worker] of workers.entries()) checkWorker(`${argument}[${g}]`, worker, rounds);
}

/** @throws {ArgumentError} It is none, or has no step time where the clock asks for one. */
export function checkWorker(argument: string, worker: WorkerSpec, rounds: boolean): void {
  requireObject(argument, worker, { slots: true, kvTokens: true, stepTime: true });
  const { slots, kvTokens, stepTime } = worker;
  if (!isCount(slots)) throw new ArgumentError(`${argument}.slots`, "an integer >= 1", slots);
  if (!isCount(kvTokens)) throw new ArgumentError(`${argument}.kvTokens`, "an integer from 1 to 2^53 - 1", kvTokens);
  if (rounds) return;
  if (stepTime === undefined)
    throw new ArgumentError(`${argument}.stepTime`, 'a step time, as the clock is "seconds"', stepTime);
  checkStepTime(`${argument}.stepTime`, stepTime);
}

export const isCount = (value: number) => Number.isSafeInteger(value) && value >= 1;

/** @throws {ArgumentError} It is none, or a step does not last. */
export function checkStepTime(argument: string, stepTime: StepTime): void {
  requireObject(argument, stepTime, stepTimeFields);
  for (const name of Object.keys(stepTimeFields) as (keyof StepTime)[])
    checkTime(`${argument}.${name}`, stepTime[name]);
  const { base, perSequence, perKvToken } = stepTime;
  if (base + perSequence + perKvToken > 0) return;
  throw new ArgumentError(argument, "base, perSequence or perKvToken above 0, as a step must last", 0);
}

function checkTime(argument: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) throw new ArgumentError(argument, "a number >= 0", value);
}

/** @throws {ArgumentError} There is no limit, or one that is no time. */
export function checkSlo(argument: string, slo: Slo): void {
  requireObject(argument, slo, { ttft: true, tpot: true });
  if (slo.ttft === undefined && slo.tpot === undefined) throw new ArgumentError(argument, "ttft, tpot or both", slo);
  if (slo.ttft !== undefined) checkTime(`${argument}.ttft`, slo.ttft);
  if (slo.tpot !== undefined) checkTime(`${argument}.tpot`, slo.tpot);
}

const isPool = (prefill: object): prefill is PrefillPool => "pool" in prefill;

/** Most prompt tokens that a step prefills; no limit where that is done elsewhere.  @throws {ArgumentError} It says none of the three. */
export function chunkOf(prefill: NonNullable<SimulateOptions["prefill"]>): number {
  if (prefill === "whole") return Number.POSITIVE_INFINITY;
  if (typeof prefill !== "object" || prefill === null) {
    throw new ArgumentError("prefill", '"whole", { chunk } or { pool, bandwidth }', prefill);
  }
  if (isPool(prefill)) return Number.POSITIVE_INFINITY;
  requireKnown("prefill", prefill, { chunk: true });
  if (!isCount(prefill.chunk)) throw new ArgumentError("prefill.chunk", "an integer >= 1", prefill.chunk);
  return prefill.chunk;
}

function poolOf(prefill: NonNullable<SimulateOptions["prefill"]>, rounds: boolean): PrefillPool | undefined {
  if (prefill === "whole" || !isPool(prefill)) return undefined;
  requireKnown("prefill", prefill, { pool: true, bandwidth: true });
  checkWorkers("prefill.pool", prefill.pool, rounds);
  const { bandwidth } = prefill;
  if (!(bandwidth > 0)) throw new ArgumentError("prefill.bandwidth", "KV tokens per unit of time, > 0", bandwidth);
  return prefill;
}

function closedPoolOf(arrivals: NonNullable<SimulateOptions["arrivals"]>): number | undefined {
  if (arrivals === "replay") return undefined;
  if (typeof arrivals !== "object" || arrivals === null)
    throw new ArgumentError("arrivals", '"replay" or { pool }', arrivals);
  requireKnown("arrivals", arrivals, { pool: true });
  if (!isCount(arrivals.pool)) throw new ArgumentError("arrivals.pool", "an integer >= 1", arrivals.pool);
  return arrivals.pool;
}
