import { MinHeap } from "../min_heap.ts";
import { type StepTime, type StepWork, stepSeconds, stepTimeFields } from "../step_time.ts";
import type { Jump } from "./jump.ts";
import type { WorkerSpec } from "./options.ts";
import { pause, place, type Requests } from "./requests.ts";

/** With rounds a step takes what its loads are. */
const LOAD: StepTime = { base: 0, perSequence: 0, perKvToken: 1, perPrefillToken: 0, perContext: 0 };

/**
 * What a step behind a barrier takes, and what it must take wherever its requests are: the time of a step is what it takes by itself and what each
 * request adds, so that some worker has the mean of what they add, and some worker the request that adds most.
 *
 *   base + max(sum_i added_i / G, max_i added_i)
 *
 * Where workers differ each coefficient is the least of them.
 */
export class BarrierStep {
  /** Of the step under way. */
  time = 0;
  bound = 0;
  even = 0;
  private readonly base: number;
  /** What requests add. */
  private readonly cost: StepTime;
  /** Over the workers: the sum and the most; and the most that one request adds. */
  private added = 0;
  private most = 0;
  private largest = 0;
  /**
   * Requests that run, by how many tokens they hold less the steps done, the most first. That is what they hold at most: one that is being prefilled, or has
   * rested, has fallen behind, and is put where it belongs when it comes to the top.
   */
  private readonly heaviest = new MinHeap();
  private readonly skipped: number[] = [];

  constructor(
    private readonly workers: readonly WorkerSpec[],
    private readonly rounds: boolean,
    private readonly requests: Requests,
  ) {
    const cost = { ...LOAD };
    if (!rounds)
      for (const name of Object.keys(stepTimeFields) as (keyof StepTime)[])
        cost[name] = Math.min(...workers.map(({ stepTime }) => stepTime![name]));
    this.base = cost.base;
    this.cost = { ...cost, base: 0 };
  }

  /** A request begins, or begins again. @param steps  that have been done. */
  started(id: number, steps: number): void {
    this.heaviest.push(steps - this.requests.tokensAtStart(id), id);
  }

  /** Before the work of the workers is told. */
  begin(steps: number): void {
    const { perSequence, perKvToken } = this.cost;
    this.added = 0;
    this.most = 0;
    this.largest = perSequence + perKvToken * this.mostHeld(steps);
  }

  /** A request of which a part is prefilled in this step, by itself. */
  prefills(one: StepWork): void {
    const adds = stepSeconds(this.cost, one);
    if (adds > this.largest) this.largest = adds;
  }

  /** The step's work at one of the workers. */
  adds(work: StepWork): void {
    const adds = stepSeconds(this.cost, work);
    this.added += adds;
    if (adds > this.most) this.most = adds;
  }

  /** @param longest  time of a worker's step; with rounds of no meaning.  @param more  that every step takes besides, wherever requests are. */
  end(longest: number, more: number): void {
    const { base, added, largest, workers, rounds } = this;
    const even = added / workers.length;
    this.time = (rounds ? this.most : longest) + more;
    // The bound is one in numbers that are rounded, too.
    this.bound = Math.min(this.time, base + Math.max(even, largest) + more);
    this.even = Math.min(this.bound, base + even + more);
  }

  /** The only worker's steps have been done, `work` being that of the first: nothing can be elsewhere. */
  alone({ steps, start, end }: Jump, { held, running }: StepWork): void {
    this.time = this.rounds ? steps * held + (running * steps * (steps - 1)) / 2 : end - start;
    this.bound = this.even = this.time;
  }

  /** Of those that take part in the next step. */
  private mostHeld(steps: number): number {
    const { heaviest, skipped, requests } = this;
    let most = 0;
    while (heaviest.size > 0) {
      const id = heaviest.least;
      const claimed = steps - heaviest.leastKey;
      if (requests.place[id] !== place.running) {
        heaviest.pop();
        continue;
      }
      const held = requests.input[id] + requests.generated(id, steps);
      if (requests.pause[id] === pause.rests) {
        skipped.push(heaviest.pop());
      } else if (held < claimed) {
        heaviest.pop();
        heaviest.push(steps - held, id);
      } else {
        most = held;
        break;
      }
    }
    for (const id of skipped) heaviest.push(steps - requests.input[id] - requests.generated(id, steps), id);
    skipped.length = 0;
    return most;
  }
}
