import { ArgumentError } from "../../common/errors.ts";
import { requireObject } from "../../common/objects.ts";
import { type FluidOptions, fluidFields, waitThresholds, withinBudget } from "../fluid.ts";
import type { RequestView, SchedulingPolicy, WorkerView } from "../policy.ts";
import { StageCounts } from "./stage_counts.ts";
import { Staged } from "./staged.ts";
import { requireThresholds } from "./thresholds.ts";

/** n by class; or what comes to one worker and how long its steps take, from which `waitThresholds` has them. */
export type WaitOptions = { thresholds: number[] } | FluidOptions;

/**
 * WAIT: a class moves on when enough of it wait, so that steps are full and no more is in memory than their pace needs. With n_j the threshold
 * of class j, before each step
 *
 *   J = { j: n_j requests of class j or more wait };   of each j in J, at each stage, min(n_j, those there) requests step, newcomers among them
 *
 * and everybody else rests: all of them, if J is empty. Where all of class j's requests have its lengths, they hold at most M_pi of
 * `waitThresholds`, and nobody is evicted in a memory of that size. What does not fit begins later, in the order of classes; where the memory runs out
 * for requests longer than their class, those that began last go first, and all others go on until one has finished.
 *
 * It pays where the memory is little more than M_pi and first come first served falls into evictions; where there is plenty, waiting for company
 * costs latency.
 *
 * A request's class is `RequestView.class`, 0 without one. Outputs are not looked at. A class that comes too rarely for its threshold waits
 * for it, until `drain`.
 *
 * Options are either thresholds, [classes] integers >= 1; or classes, of each the requests per s that come to *one* worker and its tokens of prompt and
 * output, with base and perKvToken of the step time.
 *
 * @throws {ArgumentError} An option is missing, unknown or out of its range; `create`: M_pi is more than the worker's memory; `arrived`: a class
 * without a threshold.
 * @see R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320, algorithm WAIT.
 */
export function wait(options: WaitOptions): SchedulingPolicy {
  requireObject("options", options, { ...fluidFields, thresholds: true });
  const create = (thresholds: readonly number[]) => new Wait(thresholds);
  if (!("thresholds" in options) || options.thresholds === undefined) {
    const found = waitThresholds(options as FluidOptions);
    return { name: "WAIT", create: ({ kvTokens }) => create(withinBudget(found, kvTokens).thresholds) };
  }
  requireThresholds(options, fluidFields);
  const thresholds = [...options.thresholds];
  return { name: "WAIT", create: () => create(thresholds) };
}

class Wait extends Staged {
  private readonly going: boolean[];
  private readonly counts: StageCounts[];

  constructor(private readonly thresholds: readonly number[]) {
    super(thresholds);
    this.going = thresholds.map(() => false);
    this.counts = thresholds.map(() => new StageCounts());
  }

  protected queueOf(r: RequestView): number {
    const { id, class: j = 0 } = r;
    if (Number.isInteger(j) && j >= 0 && j < this.thresholds.length) return j;
    throw new ArgumentError(`class of request ${id}`, `one of the ${this.thresholds.length} that have thresholds`, j);
  }

  rest({ running }: WorkerView, now: number, out: Int32Array): number {
    const { thresholds, going, counts } = this;
    for (let j = 0; j < going.length; j++) going[j] = this.goes(j, now);
    let count = 0;
    for (const r of running) {
      const j = r.class ?? 0;
      const steps = !this.hasStepped(r) || (going[j] && counts[j].add(r.generated) <= thresholds[j]);
      if (!steps) out[count++] = r.id;
    }
    for (const some of counts) some.clear();
    return count;
  }
}
