import type { Numbers } from "../../common/numbers.ts";
import { requireObject } from "../../common/objects.ts";
import { checkLengths, generateTrace, type Lengths, lengthFields } from "../trace/generate_trace.ts";

/** Prompts and outputs of requests, all equally likely. */
export interface DrawnLengths {
  input: Numbers;
  output: Numbers;
}

/** Requests that ServeGen's clients are asked for, whose means are then within about 1 %. */
const DRAWN = 20_000;

/**
 * Lengths as they are given; of ServeGen's clients those of the first 20,000 requests that they send.
 *
 * @throws {ArgumentError} {ShapeError} As `generateTrace` does.
 */
export function drawnLengths(lengths: Lengths): DrawnLengths {
  requireObject("lengths", lengths, lengthFields);
  if ("servegen" in lengths && lengths.servegen !== undefined)
    return generateTrace({ requests: DRAWN, seed: 0, rate: 1, lengths });
  const { input, output } = lengths as DrawnLengths;
  checkLengths(input, output);
  return { input, output };
}

/** The mean over requests. */
export function meanOf({ input, output }: DrawnLengths, of: (input: number, output: number) => number): number {
  let sum = 0;
  for (let i = 0; i < input.length; i++) sum += of(input[i], output[i]);
  return sum / input.length;
}

/** The most KV tokens that one request holds, at its end. */
export function largestPeak({ input, output }: DrawnLengths): number {
  let most = 0;
  for (let i = 0; i < input.length; i++) most = Math.max(most, input[i] + output[i]);
  return most;
}
