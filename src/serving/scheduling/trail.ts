import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RequestView, SchedulingPolicy, WorkerView } from "../policy.ts";
import { requireRange } from "../policy_options.ts";
import { PresentCheck } from "./admission.ts";
import { evictLast, type Victim, victimOf } from "./eviction.ts";
import { estimateBy, firstStep, type Job, middle } from "./job.ts";
import { Ordered } from "./ordered.ts";

export interface TrailOptions {
  /** A request that has made more than c times the tokens first predicted is not preempted; 0.8 by default, as in the paper. */
  c?: number;
}

const fields = { c: true } satisfies FieldsOf<TrailOptions>;

/**
 * TRAIL: the least predicted remaining output first, preemptive while a request is young. One that waits and does not fit in the memory and slots that are free
 * now takes the place of running ones with more to go, most first, if that makes room enough; never of one that has made more than c times
 * its first prediction, so that little is lost and few hold memory half-done. The remaining output after g tokens is o - g for a predicted
 * point, and for an interval the mean of what is still possible,
 *
 *   (max(l, g + 1) + u) / 2 - g ;     1 at least.
 *
 * With c = 0 nothing is preempted from its first token on; with c = 1 or more: shortest predicted remaining time. Where the memory runs out, the preemptible one with
 * the most to go is evicted first, then others likewise, of equals the one that began last.
 *
 * @throws {ArgumentError} An option is unknown or out of its range; at the first request without a prediction.
 * @see Shahout et al., ICLR 2025, arXiv 2410.01035.
 */
export function trail(options: TrailOptions = {}): SchedulingPolicy {
  requireObject("options", options, fields);
  const { c = 0.8 } = options;
  requireRange("c", c, "a number >= 0", (value) => value >= 0);
  return { name: "TRAIL", create: () => new ByRemaining(c) };
}

/** Tokens that it is predicted to make from now on. */
function remaining({ predicted, generated }: RequestView): number {
  const total =
    typeof predicted === "object"
      ? middle(Math.max(predicted[0], generated + 1), predicted[1])
      : (predicted ?? Number.NaN);
  return Math.max(1, total - generated);
}

interface Running extends Victim {
  remaining: number;
  preemptible: boolean;
}

class ByRemaining extends Ordered {
  constructor(private readonly c: number) {
    super({ estimate: estimateBy("trail orders by it", middle), key: (_, r) => remaining(r) }, new PresentCheck());
  }

  /** The waiting ones are taken in order, as `admit` does; those that have to go wait behind the one that they made way for. */
  preempt({ freeSlots, freeKv, running }: WorkerView, _now: number, out: Int32Array): number {
    const { line } = this;
    const taken: Job[] = [];
    let victims: Running[] | undefined;
    let count = 0;
    let slots = freeSlots;
    let free = freeKv;
    for (let job = line.first; job !== undefined; job = line.first) {
      const needed = firstStep(job);
      let more = 0;
      while (slots < 1 || free < needed) {
        victims ??= this.lastToStay(running).filter(({ preemptible }) => preemptible);
        const victim = victims[victims.length - 1 - count - more];
        if (victim === undefined || victim.remaining <= job.key) break;
        out[count + more++] = victim.id;
        slots++;
        free += victim.frees;
      }
      if (slots < 1 || free < needed) break;
      count += more;
      slots--;
      free -= needed;
      taken.push(job);
      line.pop();
    }
    for (const job of taken) line.push(job, false);
    return count;
  }

  override evict({ running }: WorkerView, need: number, out: Int32Array): number {
    return evictLast(this.lastToStay(running), need, out);
  }

  /** In reverse order of who goes first. */
  private lastToStay(running: Iterable<RequestView>): Running[] {
    const all: Running[] = [];
    for (const r of running) {
      const preemptible = r.generated <= this.c * this.jobOf(r).estimate;
      all.push({ ...victimOf(r), remaining: remaining(r), preemptible });
    }
    // Stable: of equals the one that began last is last.
    return all.sort((a, b) => Number(a.preemptible) - Number(b.preemptible) || a.remaining - b.remaining);
  }
}
