import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RequestView, SchedulerOptions, WorkerView } from "../policy.ts";
import { FutureCheck } from "./future_check.ts";
import { firstStep, type Job } from "./job.ts";

/** Whether the memory has room for a newcomer. */
export interface Admission {
  /**
   * A decision begins.
   *
   * @param jobOf  the job of a running request.
   */
  look(w: WorkerView, jobOf: (r: RequestView) => Job): void;
  fits(job: Job): boolean;
  /** It begins now, and counts for those that follow. */
  begin(job: Job): void;
  /** It runs no longer. */
  gone(job: Job): void;
}

export interface AdmissionOptions {
  /**
   * "present" (default): a request begins if the memory that is free now holds its prompt, the tokens that it has and the next, as engines do. "future": if
   * by the predictions the memory never runs out after that, either.
   */
  admission?: "present" | "future";
}

const fields = { admission: true } satisfies FieldsOf<AdmissionOptions>;

/**
 * @returns whether the future is checked.
 * @throws {ArgumentError} An option is unknown or out of its range.
 */
export function checksFuture(options: AdmissionOptions): boolean {
  requireObject("options", options, fields);
  const { admission = "present" } = options;
  if (admission === "present" || admission === "future") return admission === "future";
  throw new ArgumentError("admission", '"present" or "future"', admission);
}

export const admissionOf = (future: boolean, { kvTokens }: SchedulerOptions): Admission =>
  future ? new FutureCheck(kvTokens) : new PresentCheck();

/** What fits in the memory that is free now. */
export class PresentCheck implements Admission {
  private free = 0;

  look({ freeKv }: WorkerView): void {
    this.free = freeKv;
  }

  fits(job: Job): boolean {
    return firstStep(job) <= this.free;
  }

  begin(job: Job): void {
    this.free -= firstStep(job);
  }

  gone(): void {}
}
