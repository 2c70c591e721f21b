import { ArgumentError } from "../../common/errors.ts";
import type { Slo } from "../simulator/options.ts";
import { prefillSeconds, type StepTime } from "../step_time.ts";
import type { DrawnLengths } from "./drawn_lengths.ts";
import { quantile } from "./quantile.ts";
import { chunks } from "./token_steps.ts";

/** s to the first token of a prompt that has a worker for itself. */
export function lonePrefill(c: StepTime, input: number, chunk: number): number {
  const step = c.base + c.perSequence + c.perKvToken * input;
  return chunks(input, chunk) * step + prefillSeconds(c, input);
}

/** s per token after the first, of a request that has a worker for itself. */
export function loneTokenTime(c: StepTime, input: number, output: number): number {
  return c.base + c.perSequence + c.perKvToken * (input + output / 2);
}

interface Lone {
  lengths: DrawnLengths;
  stepTime: StepTime;
  chunk: number;
  percentile: number;
  slo: Slo;
}

/** @throws {ArgumentError} A limit is below the percentile of requests that are alone: no number of workers meets it. */
export function requireWithinReach({ lengths, stepTime, chunk, percentile, slo }: Lone): void {
  const { input, output } = lengths;
  const alone = {
    ttft: Array.from(input, (s) => lonePrefill(stepTime, s, chunk)),
    tpot: Array.from(input, (s, i) => loneTokenTime(stepTime, s, output[i])).filter((_, i) => output[i] > 1),
  };
  for (const name of ["ttft", "tpot"] as const) {
    const limit = slo[name];
    if (limit === undefined || alone[name].length === 0) continue;
    const least = quantile(alone[name], percentile);
    if (least < limit) continue;
    const expected = `more than ${least} s, the ${percentile}th percentile of requests that have a worker each to themselves`;
    throw new ArgumentError(`slo.${name}`, expected, limit, "No number of workers meets it.");
  }
}
