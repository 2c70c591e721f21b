import { ArgumentError } from "../../common/errors.ts";
import type { RequestView, Scheduler, WorkerView } from "../policy.ts";
import type { Admission } from "./admission.ts";
import { evictLast, type Victim, victimOf } from "./eviction.ts";
import type { Estimate, Job } from "./job.ts";
import { type Line, Waiting } from "./waiting.ts";

/** What tells a policy from others that admit in an order. */
export interface Order {
  /** Tokens that a request is taken to generate in all. Left out: predictions are not read. */
  estimate?: Estimate;
  /** Of a request that begins to wait: the least key goes first, of equals the one that came first. */
  key(job: Job, r: RequestView): number;
}

/** Requests begin in an order, and none where the one ahead of it does not fit. Where the memory runs out, the one that began last goes first. */
export class Ordered implements Scheduler {
  /** All that wait or run. */
  protected readonly jobs = new Map<number, Job>();
  private arrivals = 0;

  constructor(
    private readonly order: Order,
    private readonly admission: Admission,
    protected readonly line: Line = new Waiting(),
  ) {}

  /** @throws {ArgumentError} It has no prediction, and the policy goes by it; or there is one of its id already. */
  arrived(r: RequestView): void {
    if (this.jobs.has(r.id)) throw new ArgumentError("r.id", "an id that no other request has", r.id);
    this.wait(this.jobOf(r), r, false);
  }

  finished(id: number): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    this.jobs.delete(id);
    if (job.waits) this.line.remove(job);
    else this.admission.gone(job);
  }

  admit(w: WorkerView, _now: number, out: Int32Array): number {
    const { line, admission } = this;
    admission.look(w, this.jobOf);
    let count = 0;
    while (count < w.freeSlots) {
      const job = line.first;
      if (job === undefined || !admission.fits(job)) break;
      line.pop();
      job.waits = false;
      admission.begin(job);
      out[count++] = job.id;
    }
    return count;
  }

  evict({ running }: WorkerView, need: number, out: Int32Array): number {
    const begun: Victim[] = [];
    for (const r of running) begun.push(victimOf(r));
    return evictLast(begun, need, out);
  }

  evicted(r: RequestView): void {
    const job = this.jobOf(r);
    this.admission.gone(job);
    job.generated = r.generated;
    this.wait(job, r, true);
  }

  /** Also of one that runs and never came here: a live engine may have begun before its scheduler. */
  protected readonly jobOf = (r: RequestView): Job => {
    const known = this.jobs.get(r.id);
    if (known !== undefined) return known;
    const { id, input, generated } = r;
    const estimate = this.order.estimate?.(r) ?? Number.NaN;
    const idle = { key: 0, waits: false, profiled: false, base: 0, end: 0 };
    const job: Job = { id, turn: this.arrivals++, input, generated, estimate, ...idle };
    this.jobs.set(id, job);
    return job;
  };

  private wait(job: Job, r: RequestView, evicted: boolean): void {
    job.key = this.order.key(job, r);
    job.waits = true;
    this.line.push(job, evicted);
  }
}
