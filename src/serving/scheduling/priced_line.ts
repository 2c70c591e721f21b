import type { StartCosts } from "../bound/start_costs.ts";
import { type Job, toGo, volume } from "./job.ts";
import { type Line, Waiting } from "./waiting.ts";

/** Jobs that wait, in order of their volume; of those alone whose start now costs, by prices, little more than any later one. */
export class PricedLine implements Line {
  /** The round that is to begin. It never goes back. */
  now = 0;
  /** By volume; some may have missed their time since they were looked at. */
  private readonly awake = new Waiting();
  /** By the round in which a start is good again. */
  private readonly asleep = new Waiting();

  /**
   * @param tolerance  rounds that a start may cost more than the cheapest later one.
   * @param isIdle  whether nothing runs: where nobody's start is good, the one whose is soonest is next then. Left out: it waits.
   */
  constructor(
    private readonly costs: StartCosts,
    private readonly tolerance: number,
    private readonly isIdle = () => false,
  ) {}

  get first(): Job | undefined {
    const { awake, asleep, now } = this;
    for (let job = asleep.first; job !== undefined && job.key <= now; job = asleep.first) {
      asleep.pop();
      job.key = volume(job);
      awake.push(job);
    }
    for (let job = awake.first; job !== undefined; job = awake.first) {
      const round = this.goodFrom(job);
      if (round === now) return job;
      awake.pop();
      job.key = round;
      asleep.push(job);
    }
    return this.isIdle() ? asleep.first : undefined;
  }

  /** When somebody's start is good again, where nobody's is now; Infinity where none waits. */
  get wakes(): number {
    return this.asleep.first?.key ?? Number.POSITIVE_INFINITY;
  }

  push(job: Job): void {
    const round = this.goodFrom(job);
    const isGood = round === this.now;
    job.key = isGood ? volume(job) : round;
    (isGood ? this.awake : this.asleep).push(job);
  }

  pop(): void {
    (this.awake.size > 0 ? this.awake : this.asleep).pop();
  }

  remove(job: Job): void {
    this.awake.remove(job);
    this.asleep.remove(job);
  }

  /** The next round in which its start is good. */
  private goodFrom(job: Job): number {
    return this.costs.firstGood(job.input + job.generated, toGo(job), this.now, this.tolerance);
  }
}
