import { type Random, seeded } from "../../common/random.ts";
import type { SchedulerOptions, SchedulingPolicy, WorkerView } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { evictLast, type Victim, victimOf } from "./eviction.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, type Job } from "./job.ts";
import { type Order, Ordered } from "./ordered.ts";

/**
 * A_min: each output is first estimated by the lower end of its predicted interval, which is right or too short. The shortest estimate first, admitted as by
 * `mcsf`. Where the memory runs out, requests are evicted from the shortest estimate on, of equals by chance, and from then on each is
 * estimated by what it had generated if that is more. Total latency is within O(log(u / l)) of the best with known outputs, for
 * intervals [l, u]. A point is an interval of one token count.
 *
 * @throws {ArgumentError} It has no options; at the first request without a prediction.
 * @see Chen, Ye and Zhou, arXiv 2508.14544.
 */
export function aMin(options?: NoOptions): SchedulingPolicy {
  requireNoOptions(options);
  return { name: "A_min", create: (o) => new ByLowerEnds(o) };
}

const order: Order = {
  estimate: estimateBy("aMin orders by it", (least) => least),
  key: ({ estimate }: Job) => estimate,
};

class ByLowerEnds extends Ordered {
  private readonly random: Random;

  constructor({ kvTokens, seed }: SchedulerOptions) {
    super(order, new FutureCheck(kvTokens));
    this.random = seeded(seed);
  }

  override evict({ running }: WorkerView, need: number, out: Int32Array): number {
    const victims: (Victim & { job: Job; draw: number })[] = [];
    for (const r of running) victims.push({ ...victimOf(r), job: this.jobOf(r), draw: this.random.next() });
    victims.sort((a, b) => b.job.estimate - a.job.estimate || b.draw - a.draw);
    const count = evictLast(victims, need, out);
    for (const { job, generated } of victims.slice(victims.length - count)) {
      job.estimate = Math.max(job.estimate, generated);
    }
    return count;
  }
}
