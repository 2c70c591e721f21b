import { ArgumentError } from "../../common/errors.ts";
import type { WorkerSpec } from "../simulator/options.ts";
import type { StepUnits, Units } from "../twins/replay_state.ts";

/** Ticks of a s, and of a round: microseconds, and parts of a round that a float has exactly. */
export const TICKS_PER_SECOND = 1e6;
export const TICKS_PER_ROUND = 2 ** 20;

const TWO_32 = 2 ** 32;
/** Of what is multiplied by a coefficient, so that both arithmetics have it exactly. */
export const MOST_COUNT = 2 ** 52;
const none: Units = { whole: 0, part: 0 };

/** A time of so many ticks, to 2^-32 of one; never 0 where it was more. */
function unitsOf(ticks: number): Units {
  const whole = Math.floor(ticks);
  const part = Math.round((ticks - whole) * TWO_32);
  if (ticks > 0 && whole === 0 && part === 0) return { whole, part: 1 };
  return part === TWO_32 ? { whole: whole + 1, part: 0 } : { whole, part };
}

/**
 * What steps of a worker take, in whole multiples of 2^-32 ticks: 2.3e-16 s.
 *
 * @param longest  tokens of the largest request at its end.
 * @throws {ArgumentError} A step might take 2^32 microseconds, 71 minutes.
 */
export function stepUnits({ slots, kvTokens, stepTime }: WorkerSpec, longest: number, rounds: boolean): StepUnits {
  if (rounds || stepTime === undefined)
    return {
      base: { whole: TICKS_PER_ROUND, part: 0 },
      perSequence: none,
      perKvToken: none,
      perPrefillToken: none,
      perHalfPair: none,
    };
  const { base, perSequence, perKvToken, perPrefillToken, perContext } = stepTime;
  // Prompts that are prefilled are held; of chunks (b, t) the sum of t (2 b + t) is the square of their prompt at most.
  const most =
    base + perSequence * slots + (perKvToken + perPrefillToken) * kvTokens + (perContext / 2) * kvTokens * longest;
  if (!(most * TICKS_PER_SECOND < TWO_32 / 2))
    throw new ArgumentError("worker.stepTime", "steps of less than 2^31 microseconds", `up to ${most} s`);
  const units = (seconds: number) => unitsOf(seconds * TICKS_PER_SECOND);
  return {
    base: units(base),
    perSequence: units(perSequence),
    perKvToken: units(perKvToken),
    perPrefillToken: units(perPrefillToken),
    perHalfPair: units(perContext / 2),
  };
}
