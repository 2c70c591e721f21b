import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkSlo, checkStepTime, isCount, type Slo } from "../simulator/options.ts";
import type { StepTime } from "../step_time.ts";
import { type Lengths, rateOf } from "../trace/generate_trace.ts";
import { sharedRate } from "./co_located.ts";
import { decodeWorker } from "./decode_worker.ts";
import { drawnLengths } from "./drawn_lengths.ts";
import { prefillRate } from "./prefill_rate.ts";
import { requireRoom } from "./stability.ts";
import { requirePercentile } from "./waiting_time.ts";

export interface SplitOptions {
  /** To be split, an integer from 2 to 2^20. Either this or `rate`. */
  workers?: number;
  /** Requests per s that must be served. */
  rate?: number;
  /** M: KV tokens of a worker, of either kind. */
  kvTokens: number;
  /** B: requests that a worker decodes at once. By default as many as its memory holds. */
  slots?: number;
  stepTime: StepTime;
  /** KV tokens per s from prefill to decode, for each request by itself, as in `simulate`. */
  bandwidth: number;
  slo?: Slo;
  /** Of TTFT. Default 95. */
  percentile?: number;
}

export interface Split {
  /** n_P, workers that prefill, a prompt at a time, whole. */
  prefill: number;
  /** n_D, workers that decode. */
  decode: number;
  /** Requests per s that they serve, within the SLO. */
  rate: number;
  /** Which pool allows no more. */
  binding: "prefill" | "decode";
  /** B*, requests that a worker decodes at once at most, and the time of its step then, s. */
  batch: number;
  stepTime: number;
  /** s, the mean time of a transfer of KV, which is part of TTFT. */
  transfer: number;
  /** Requests per s of the same number of workers that each do both. */
  coLocated: number;
}

const fields: FieldsOf<SplitOptions> = {
  ...{ workers: true, rate: true, kvTokens: true, slots: true, stepTime: true, bandwidth: true, slo: true },
  percentile: true,
};

/**
 * Prefill and decode on workers of their own: the best split of a number of workers, or the fewest of each kind for a rate, from the fluid model.
 *
 *   rate = min(rate_P(n_P), n_D B* / (E[o - 1] step(B*))),   step(B) = c0 + B (c_seq + c_kv x),   x = E[s (o - 1) + o (o - 1) / 2] / E[o - 1]
 *
 * - B*, the largest batch whose step is within TPOT and that the slots and M (1 - delta) hold, the part of the memory that is full under every work-conserving
 *   policy (see `stability`). A request holds x KV tokens on average over its steps: more than E[s] + E[o] / 2 where outputs differ, since long ones
 *   stay longer. Prefill makes the first token.
 * - rate_P: n_P workers are a queue M/G/n_P of prompts (see `waitingTime`); without a TTFT it is n_P / E[prefill], with one the largest rate at
 *   which the percentile of waiting, prefill and transfer together is within it.
 * - co-located: N workers whose mean step c0 / (1 - lambda W / N) is within TPOT, and of which two, and the prompt, are within TTFT; or mu (1 - delta).
 *
 * By this model, prefill apart pays where a prompt's time is more than what TPOT leaves beside c0. Steps are at their mean: where TPOT is a percentile, as
 * in `capacity`, a few percent less are served, and the fewer the more prompts decode must stand beside. `simulate` with prefill { pool, bandwidth },
 * the pool's workers having one slot, tells it exactly.
 *
 * @throws {ArgumentError} Something is missing, unknown or out of range; neither or both of workers and rate; no number of workers meets the SLO.
 */
export function prefillDecodeSplit(lengths: Lengths, options: SplitOptions): Split {
  const o = checked(lengths, options);
  const { drawn, bandwidth } = o;
  const decoding = decodeWorker(drawn, o);
  const byPrefill = prefillRate(drawn, o);
  const { prefill, decode } =
    o.workers === undefined ? fewest(o.rate!, byPrefill, decoding.rate) : best(o.workers, byPrefill, decoding.rate);
  const limits = { prefill: byPrefill(prefill), decode: decode * decoding.rate };
  let tokens = 0;
  for (let i = 0; i < drawn.input.length; i++) tokens += drawn.input[i];
  return {
    ...{ prefill, decode, rate: Math.min(limits.prefill, limits.decode) },
    binding: limits.prefill < limits.decode ? "prefill" : "decode",
    ...{ batch: decoding.batch, stepTime: decoding.stepTime, transfer: tokens / drawn.input.length / bandwidth },
    coLocated: (prefill + decode) * sharedRate(drawn, o),
  };
}

/** The split that serves most: the first that gives prefill more than decode can take, or the one before it. */
function best(workers: number, byPrefill: (workers: number) => number, perDecoder: number) {
  const rate = (prefill: number) => Math.min(byPrefill(prefill), (workers - prefill) * perDecoder);
  let [low, high] = [1, workers - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byPrefill(middle) >= (workers - middle) * perDecoder) high = middle;
    else low = middle + 1;
  }
  const prefill = low > 1 && rate(low - 1) > rate(low) ? low - 1 : low;
  return { prefill, decode: workers - prefill };
}

const MOST_WORKERS = 2 ** 20;

function fewest(rate: number, byPrefill: (workers: number) => number, perDecoder: number) {
  const decode = Math.max(1, Math.ceil(rate / perDecoder));
  let high = 1;
  while (high < MOST_WORKERS && byPrefill(high) < rate) high *= 2;
  if (decode > MOST_WORKERS || (high === MOST_WORKERS && byPrefill(high) < rate))
    throw new ArgumentError("rate", "no more than 2^20 workers of each kind serve", rate);
  let low = high >> 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (byPrefill(middle) < rate) low = middle;
    else high = middle;
  }
  return { prefill: high, decode };
}

function checked(lengths: Lengths, options: SplitOptions) {
  requireObject("options", options, fields);
  const { workers, rate, kvTokens, slots, stepTime, bandwidth, slo = {}, percentile = 95 } = options;
  if ((workers === undefined) === (rate === undefined))
    throw new ArgumentError("options", "either workers or rate", options);
  if (rate !== undefined) rateOf(rate);
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 2 && workers <= MOST_WORKERS))
    throw new ArgumentError("workers", "an integer from 2 to 2^20, as there is one of each kind", workers);
  const drawn = drawnLengths(lengths);
  requireRoom(drawn, kvTokens);
  if (slots !== undefined && !isCount(slots)) throw new ArgumentError("slots", "an integer >= 1", slots);
  checkStepTime("stepTime", stepTime);
  if (!(bandwidth > 0)) throw new ArgumentError("bandwidth", "KV tokens per s, > 0", bandwidth);
  if (options.slo !== undefined) checkSlo("slo", slo);
  requirePercentile(percentile);
  const { ttft = Number.POSITIVE_INFINITY, tpot = Number.POSITIVE_INFINITY } = slo;
  const defaults = { slots: slots ?? Number.POSITIVE_INFINITY, chunk: Number.POSITIVE_INFINITY };
  return { workers, rate, kvTokens, stepTime, bandwidth, percentile, drawn, ttft, tpot, ...defaults };
}
