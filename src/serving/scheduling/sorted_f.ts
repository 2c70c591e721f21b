import type { SchedulerOptions, SchedulingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { bestPrefix, bestSubset } from "./best_group.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, type Job, middle, toGo, volume } from "./job.ts";
import { Ordered } from "./ordered.ts";
import { type Line, Waiting } from "./waiting.ts";

/** Most waiting requests of which all subsets are tried: 2^10. */
const FEW = 10;

/**
 * Sorted-F: of those that wait the group X with the least
 *
 *   F(X) = sum over X of o_i / |X|^2
 *
 * that the memory would hold if all of it began together goes first, in order of the predicted outputs o_i; when the last of it has begun the next group is
 * made, for which newcomers wait. Of more than 10 that wait only the first so many in order of their volumes (see `svf`) are tried. Each
 * begins when it fits beside those that run, as by `mcsf`.
 *
 * @throws {ArgumentError} It has no options; at the first request without a prediction.
 * @see Wang, Ye and Zhou, arXiv 2508.06133.
 */
export function sortedF(options?: NoOptions): SchedulingPolicy {
  requireNoOptions(options);
  const order = { estimate: estimateBy("sortedF orders by it", middle), key: volume };
  return {
    name: "Sorted-F",
    create: (o: SchedulerOptions) => new Ordered(order, new FutureCheck(o.kvTokens), new Groups(o.kvTokens)),
  };
}

class Groups implements Line {
  private readonly waiting = new Waiting();
  /** The last goes first. */
  private group: Job[] = [];

  constructor(private readonly kvTokens: number) {}

  get first(): Job | undefined {
    if (this.group.length === 0 && this.waiting.size > 0) this.form();
    return this.group.at(-1);
  }

  push(job: Job): void {
    this.waiting.push(job);
  }

  pop(): void {
    this.group.pop();
  }

  remove(job: Job): void {
    const place = this.group.indexOf(job);
    if (place >= 0) this.group.splice(place, 1);
    else this.waiting.remove(job);
  }

  private form(): void {
    const { waiting, kvTokens } = this;
    const exact = waiting.size <= FEW;
    const { group, others } = (exact ? bestSubset : bestPrefix)(waiting, kvTokens);
    for (const job of others) waiting.push(job);
    this.group = group.sort((a, b) => toGo(b) - toGo(a) || b.turn - a.turn);
  }
}
