import type { RequestView, WorkerView } from "../policy.ts";
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
