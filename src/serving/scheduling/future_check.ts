import type { RequestView, WorkerView } from "../policy.ts";
import type { Admission } from "./admission.ts";
import { firstStep, type Job, toGo } from "./job.ts";
import { Profile } from "./profile.ts";

/** Of so many jobs that run otherwise than was taken for granted each is moved by itself; of more the profile is made anew. */
const FEW = 16;

/**
 * Lets a newcomer begin if by the estimates the memory never runs out after that: at its own end, and at the ends before it of those that run,
 *
 *   sum over those still running of (prompt + progress)  <=  M - reserve
 *
 * and in the next step. Who has outlived its estimate is taken to end with the next step. Where nothing runs a newcomer need only fit in the next step, whatever
 * is predicted: its turn would never come otherwise.
 *
 * Time is the worker's steps. That each running job has made a token in each is verified by what they hold in all; where they do not
 * (prompts are prefilled in chunks), or the view has no `steps`, what each has made is read from `running`.
 */
export class FutureCheck implements Admission {
  private readonly running = new Set<Job>();
  private readonly profile = new Profile();
  /** Sum of the weights of those that run. */
  private weights = 0;
  private now = 0;
  private free = 0;
  // Of a reading of `running`, used again.
  private readonly jobs: Job[] = [];
  private readonly made: number[] = [];

  /** @param reserve  tokens that are kept free. */
  constructor(
    private readonly kvTokens: number,
    private readonly reserve = 0,
  ) {}

  /** Nothing ran when a decision began, and nothing has begun since. */
  get idle(): boolean {
    return this.running.size === 0;
  }

  look(w: WorkerView, jobOf: (r: RequestView) => Job): void {
    this.free = w.freeKv;
    const { steps } = w;
    if (steps !== undefined) {
      this.now = steps;
      const count = this.running.size;
      // None makes more than a token per step, so that the sum is right only if each of its terms is.
      if (this.weights + count * steps === this.kvTokens - w.freeKv - count) return;
    }
    this.read(w, jobOf);
  }

  fits(job: Job): boolean {
    const { now, free, reserve } = this;
    const needed = firstStep(job);
    if (this.idle) return needed <= free;
    if (needed > free - reserve) return false;
    const weight = job.input + job.generated - now;
    return this.profile.peak(now, now + toGo(job)) + weight <= this.kvTokens - reserve;
  }

  begin(job: Job): void {
    this.free -= firstStep(job);
    job.base = this.now - job.generated;
    this.enter(job);
  }

  gone(job: Job): void {
    if (!job.profiled) return;
    job.profiled = false;
    this.running.delete(job);
    this.profile.remove(job.end, weightOf(job));
    this.weights -= weightOf(job);
  }

  private enter(job: Job): void {
    this.running.add(job);
    job.profiled = true;
    job.end = job.base + job.estimate;
    this.profile.add(job.end, weightOf(job));
    this.weights += weightOf(job);
  }

  /** Takes over who runs, and what each has made. */
  private read({ running, steps }: WorkerView, jobOf: (r: RequestView) => Job): void {
    const { jobs, made } = this;
    jobs.length = 0;
    made.length = 0;
    let known = 0;
    // Without the worker's steps time is that of the job that has made a token in each: no other gets ahead of it.
    let now = steps ?? this.now;
    for (const r of running) {
      const job = jobOf(r);
      jobs.push(job);
      made.push(r.generated);
      if (!job.profiled) continue;
      known++;
      if (steps === undefined) now = Math.max(now, job.base + r.generated);
    }
    this.now = now;
    if (known < this.running.size) this.forget();
    this.correct();
  }

  /** Those that have gone without a word. */
  private forget(): void {
    const there = new Set(this.jobs);
    for (const job of this.running) if (!there.has(job)) this.gone(job);
  }

  private correct(): void {
    const { jobs, made, now } = this;
    let wrong = 0;
    for (let k = 0; k < jobs.length; k++) if (this.isWrong(k)) wrong++;
    if (wrong === 0) return;
    if (wrong <= FEW) {
      for (let k = 0; k < jobs.length; k++) {
        if (!this.isWrong(k)) continue;
        this.gone(jobs[k]);
        jobs[k].base = now - made[k];
        this.enter(jobs[k]);
      }
      return;
    }
    this.running.clear();
    this.profile.clear();
    this.weights = 0;
    for (const [k, job] of jobs.entries()) job.base = now - made[k];
    // In order of their ends, each is put behind the one before it.
    for (const job of jobs.slice().sort((a, b) => a.base + a.estimate - b.base - b.estimate)) this.enter(job);
  }

  private isWrong(k: number): boolean {
    const job = this.jobs[k];
    return job.base !== this.now - this.made[k] || !job.profiled;
  }
}

/** KV tokens that it would have held at step 0: with the steps done since added, what it holds. */
const weightOf = ({ input, base }: Job): number => input - base;
