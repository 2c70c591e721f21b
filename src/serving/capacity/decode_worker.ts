import { ArgumentError } from "../../common/errors.ts";
import type { StepTime } from "../step_time.ts";
import { type DrawnLengths, largestPeak, meanOf } from "./drawn_lengths.ts";

interface DecodeSettings {
  kvTokens: number;
  slots: number;
  stepTime: StepTime;
  tpot: number;
}

/**
 * A worker that decodes alone, as full as it may be.
 *
 * @throws {ArgumentError} One request by itself takes longer than TPOT.
 */
export function decodeWorker(lengths: DrawnLengths, { kvTokens, slots, stepTime, tpot }: DecodeSettings) {
  const steps = meanOf(lengths, (_, o) => o - 1);
  const tokens = steps === 0 ? 0 : meanOf(lengths, (s, o) => s * (o - 1) + (o * (o - 1)) / 2) / steps;
  const { base, perSequence, perKvToken } = stepTime;
  const perRequest = perSequence + perKvToken * tokens;
  const alone = base + perRequest;
  if (steps > 0 && alone > tpot) {
    const expected = `at least the ${alone} s per token of a request that has a worker for itself`;
    throw new ArgumentError("slo.tpot", expected, tpot, "No number of workers meets it.");
  }
  // Where the largest request does not fit, no more than that is free; one by itself always fits.
  const room = kvTokens - largestPeak(lengths);
  const held = tokens === 0 ? slots : Math.min(slots, Math.max(1, room / tokens));
  const batch = perRequest === 0 ? held : Math.min(held, (tpot - base) / perRequest);
  const step = base + batch * perRequest;
  // Unlimited memory, slots and TPOT: what a request adds to steps is what remains of it.
  const rate = batch === Number.POSITIVE_INFINITY ? 1 / (steps * perRequest) : batch / (steps * step);
  return { batch, stepTime: step, rate: steps === 0 ? Number.POSITIVE_INFINITY : rate };
}
