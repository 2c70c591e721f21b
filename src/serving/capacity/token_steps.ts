import { ArgumentError } from "../../common/errors.ts";
import { volumeOf } from "../scheduling/job.ts";
import { isCount } from "../simulator/options.ts";

/**
 * KV tokens that a request holds, summed over its steps: its prompt grows by a chunk per step, then by a token per step.
 *
 *   g(s, o) = sum_{j = 1..ceil(s / c)} min(s, j c)  +  sum_{j = 1..o} (s + j)
 *
 * In whole numbers this is exact, up to 2^53. The paper's (1 + s / c) s / 2 + s o + (1 + o) o / 2 is g for multiples of c only, and less for others. An
 * engine whose last chunk makes the first token, as `simulate` does, is done a step earlier: g is on the safe side.
 *
 * @param input  s, tokens of the prompt, an integer from 1 to 2^31 - 1; `output`, o, likewise.
 * @param chunk  c, prompt tokens of a step, an integer >= 1; Infinity: whole prompts.
 * @throws {ArgumentError} One of them is out of its range.
 * @see C. Nie, Y. Si, Z. Zhou, arXiv 2605.04595.
 */
export function chunkedTokenSteps(input: number, output: number, chunk: number): number {
  for (const [name, value] of Object.entries({ input, output })) {
    if (Number.isInteger(value) && value >= 1 && value < 2 ** 31) continue;
    throw new ArgumentError(name, "an integer from 1 to 2^31 - 1", value);
  }
  requireChunk(chunk);
  return tokenSteps(input, output, chunk);
}

/** g, unchecked. */
export function tokenSteps(input: number, output: number, chunk: number): number {
  return prefillTokenSteps(input, chunk) + volumeOf(input, output);
}

/** The first sum of g: only the last chunk may be filled in part, after which all of the prompt is there. */
function prefillTokenSteps(input: number, chunk: number): number {
  const before = chunks(input, chunk) - 1;
  return before === 0 ? input : (chunk * before * (before + 1)) / 2 + input;
}

/** ceil(s / c): steps that prefill a prompt which nothing else stands beside. */
export const chunks = (input: number, chunk: number): number => Math.max(1, Math.ceil(input / chunk));

/** @throws {ArgumentError} It is neither an integer >= 1 nor Infinity. */
export function requireChunk(chunk: number): void {
  if (isCount(chunk) || chunk === Number.POSITIVE_INFINITY) return;
  throw new ArgumentError("chunk", "an integer >= 1, or Infinity for whole prompts", chunk);
}
