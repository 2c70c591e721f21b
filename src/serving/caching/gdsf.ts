import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { Ordered } from "./ordered.ts";
import { Ranked, type Ranks } from "./ranked.ts";

/**
 * Greedy-Dual-Size-Frequency: admits everything; the least
 *
 *   H = L + uses x cost / size
 *
 * goes first, of equals the least recently used. L is the largest H that has gone, for a newcomer what has gone for it included, so that what is no longer used falls behind what comes;
 * uses are counted from the admission on. O(log n).
 *
 * @see L. Cherkasova, Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy, HP Laboratories, 1998.
 */
export function gdsf(options?: NoOptions): CachePolicy {
  requireNoOptions(options);
  return { name: "gdsf", create: () => new Ordered(new Ranked(new GreedyDual())) };
}

class GreedyDual implements Ranks {
  private readonly uses: number[] = [];
  /** cost / size. */
  private readonly worth: number[] = [];
  /** L. */
  private level = 0;

  entered(place: number, size: number, cost: number): number {
    this.uses[place] = 1;
    this.worth[place] = cost / size;
    return this.level + this.worth[place];
  }

  hit(place: number): number {
    return this.level + ++this.uses[place] * this.worth[place];
  }

  gone(_place: number, evicted: boolean, rank: number): void {
    if (evicted && rank > this.level) this.level = rank;
  }
}
