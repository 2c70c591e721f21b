import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkStepTime, isCount } from "../simulator/options.ts";
import type { StepTime } from "../step_time.ts";
import type { Lengths } from "../trace/generate_trace.ts";
import { type DrawnLengths, drawnLengths, largestPeak, meanOf } from "./drawn_lengths.ts";
import { requestWork } from "./request_work.ts";
import { requireChunk, tokenSteps } from "./token_steps.ts";

export interface StabilityOptions {
  /** M: KV tokens of a worker. */
  kvTokens: number;
  /** c: prompt tokens that a step prefills. By default whole prompts. */
  chunk?: number;
  /** b, s: the mean time of a step, as measured near saturation. Either this or `stepTime`. */
  meanStep?: number;
  /** b is then what it says of a step with a full memory: see `stability`. */
  stepTime?: StepTime;
}

export interface Stability {
  /** E[g(s, o)]. */
  meanTokenSteps: number;
  /** max(s + o) / M. */
  delta: number;
  /** b, s. */
  meanStep: number;
  /** mu, requests per s of a worker: with more no policy is stable. */
  mu: number;
  /** mu (1 - delta): with less every work-conserving policy is. */
  stableBelow: number;
}

const fields: FieldsOf<StabilityOptions> = { kvTokens: true, chunk: true, meanStep: true, stepTime: true };

/**
 * How many requests per second a worker can serve, by the memory that their KV takes and for how long:
 *
 *   mu = M / (b E[g(s, o)]),   delta = max(s + o) / M
 *
 * - arrivals above mu: the queue grows without bound under every policy (theorem 4.1): in a step a worker does at most M token-steps;
 * - arrivals below mu (1 - delta): it does not under any policy that lets the next request begin whenever it fits (theorem 4.2): while one waits, more
 *   than M (1 - delta) token-steps are done in each.
 *
 * In between the theorems say nothing. They take b as given; where it is not, it is that of a full memory, in which M / E[g] requests begin per step:
 *
 *   b = c0 + c_kv M + (M / E[g]) (c_seq E[steps] + c_pre E[s] + c_ctx E[s^2] / 2)
 *
 * @param lengths  all equally likely; of ServeGen's clients the first 20,000.
 * @throws {ArgumentError} An option is out of its range; neither or both of meanStep and stepTime; a request is larger than the memory.
 * @see C. Nie, Y. Si, Z. Zhou, arXiv 2605.04595.
 */
export function stability(lengths: Lengths, options: StabilityOptions): Stability {
  requireObject("options", options, fields);
  const { kvTokens, chunk = Number.POSITIVE_INFINITY, meanStep, stepTime } = options;
  requireChunk(chunk);
  const drawn = drawnLengths(lengths);
  requireRoom(drawn, kvTokens);
  if ((meanStep === undefined) === (stepTime === undefined))
    throw new ArgumentError("options", "either meanStep or stepTime", options);
  if (stepTime !== undefined) {
    checkStepTime("stepTime", stepTime);
    return stabilityOf(drawn, { kvTokens, chunk, meanStep: fullStep(drawn, { kvTokens, chunk, stepTime }) });
  }
  if (!(Number.isFinite(meanStep) && meanStep! > 0)) throw new ArgumentError("meanStep", "seconds, > 0", meanStep);
  return stabilityOf(drawn, { kvTokens, chunk, meanStep: meanStep! });
}

function stabilityOf(lengths: DrawnLengths, o: { kvTokens: number; chunk: number; meanStep: number }): Stability {
  const meanTokenSteps = meanOf(lengths, (s, output) => tokenSteps(s, output, o.chunk));
  const delta = largestPeak(lengths) / o.kvTokens;
  const mu = o.kvTokens / (o.meanStep * meanTokenSteps);
  return { meanTokenSteps, delta, meanStep: o.meanStep, mu, stableBelow: mu * (1 - delta) };
}

/** b, s: the mean time of a step of a worker whose memory is full. */
function fullStep(lengths: DrawnLengths, o: { kvTokens: number; chunk: number; stepTime: StepTime }): number {
  const { stepTime, kvTokens, chunk } = o;
  const { base, perKvToken, perSequence } = stepTime;
  const { steps, promptSeconds } = requestWork(lengths, stepTime, chunk);
  const begin = kvTokens / meanOf(lengths, (input, output) => tokenSteps(input, output, chunk));
  return base + perKvToken * kvTokens + begin * (perSequence * steps + promptSeconds);
}

/** @throws {ArgumentError} It is no memory, or a request is larger. */
export function requireRoom(lengths: DrawnLengths, kvTokens: number): void {
  if (!isCount(kvTokens)) throw new ArgumentError("kvTokens", "an integer from 1 to 2^53 - 1", kvTokens);
  const peak = largestPeak(lengths);
  if (peak <= kvTokens) return;
  throw new ArgumentError(
    "kvTokens",
    `at least the ${peak} tokens that the largest request holds at its end`,
    kvTokens,
  );
}
