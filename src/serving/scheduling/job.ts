import { ArgumentError } from "../../common/errors.ts";
import type { RequestView } from "../policy.ts";

/** A request at a worker, from its arrival there to its end. */
export interface Job {
  readonly id: number;
  /** Its number in order of arrival. */
  readonly turn: number;
  readonly input: number;
  /** Tokens that it begins with beside its prompt. */
  generated: number;
  /** Tokens that it is taken to generate in all; NaN where no prediction is read. */
  estimate: number;
  /** Of one that waits: what it is ordered by. */
  key: number;
  waits: boolean;
  /** It is in the profile of those that run, with these: steps less the tokens that it has, the same after each step in which it makes one; and the step in which it is taken to end. */
  profiled: boolean;
  base: number;
  end: number;
}

/** KV tokens that it takes in its first step. */
export const firstStep = ({ input, generated }: Pick<Job, "input" | "generated">): number => input + generated + 1;

/** Tokens that it is taken to generate from its start on; one at least. */
export const toGo = ({ estimate, generated }: Job): number => Math.max(1, estimate - generated);

/** s o + (o^2 + o) / 2: KV tokens x steps that a prompt of s and an output of o hold. */
export const volumeOf = (s: number, o: number): number => s * o + (o * o + o) / 2;

/** KV tokens x steps that it is taken to hold from its start on. */
export const volume = (job: Job): number => volumeOf(job.input + job.generated, toGo(job));

/** What a policy takes a request's output to be: whole tokens, at least 1. */
export type Estimate = (r: Pick<RequestView, "predicted">) => number;

/**
 * @param why  a prediction is needed: the end of the message.
 * @param ofInterval  the token count that is taken of an interval, rounded up.
 * @throws {ArgumentError} (the function that it returns) There is no prediction, or it is below 1 or not finite.
 */
export function estimateBy(why: string, ofInterval: (least: number, most: number) => number): Estimate {
  return ({ predicted }) => {
    if (predicted === undefined || predicted === null) {
      throw new ArgumentError("prediction", `a model other than "none", since ${why}`, predicted);
    }
    const [least, most] = typeof predicted === "number" ? [predicted, predicted] : predicted;
    if (!(least >= 1 && least <= most && most < Number.POSITIVE_INFINITY)) {
      throw new ArgumentError("r.predicted", "a number of tokens >= 1, or an interval of such", predicted);
    }
    return Math.ceil(ofInterval(least, most));
  };
}

/** The middle errs by half the interval's width at most. */
export const middle = (least: number, most: number): number => (least + most) / 2;
