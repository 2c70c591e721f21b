import { prefillSeconds, type StepTime } from "../step_time.ts";
import { type DrawnLengths, meanOf } from "./drawn_lengths.ts";
import { chunks } from "./token_steps.ts";

/**
 * What a request asks of a worker, on average, as `simulate` counts it: all of its prompt is held from the first of its n_c chunks on, and the last chunk
 * makes the first token. This is g less a step, and more where chunks wait for others.
 */
export interface RequestWork {
  /** E[o]. */
  output: number;
  /** E[n_c + o - 1]: steps that it takes part in. */
  steps: number;
  /** E[n^2] / E[n] of these: steps of the request that one meets at a random time. */
  lastingSteps: number;
  /** E[h], h = s (n_c + o - 1) + o (o + 1) / 2: KV tokens that it holds at the end of each of its steps, summed. */
  tokenSteps: number;
  /** W, s: by how much it makes steps longer, its own and those of others, in all. */
  seconds: number;
  /** Of which its prompt is the cause: c_pre E[s] + c_ctx E[s^2] / 2. */
  promptSeconds: number;
}

/** n_c + o - 1. */
const stepsOf = (s: number, o: number, chunk: number) => chunks(s, chunk) + o - 1;

/** h. */
export const heldTokenSteps = (s: number, o: number, chunk: number): number =>
  s * stepsOf(s, o, chunk) + (o * (o + 1)) / 2;

export function requestWork(lengths: DrawnLengths, c: StepTime, chunk: number): RequestWork {
  const output = meanOf(lengths, (_, o) => o);
  const steps = meanOf(lengths, (s, o) => stepsOf(s, o, chunk));
  const tokenSteps = meanOf(lengths, (s, o) => heldTokenSteps(s, o, chunk));
  const promptSeconds = meanOf(lengths, (s) => prefillSeconds(c, s));
  // A step lasts by what is held before it: of each request a token less for each that it makes.
  const seconds = c.perSequence * steps + c.perKvToken * (tokenSteps - output) + promptSeconds;
  const lastingSteps = meanOf(lengths, (s, o) => stepsOf(s, o, chunk) ** 2) / steps;
  return { output, steps, lastingSteps, tokenSteps, seconds, promptSeconds };
}
