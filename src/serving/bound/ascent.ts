import type { Pauses } from "../../common/pauses.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { Dual } from "./dual.ts";
import { makeNonIncreasing } from "./non_increasing.ts";

/** The first rise asked for, as a share of what is between the first value and a schedule's. */
const FIRST_RISE = 0.2;
/** Where the search has found what it can find, as a share of the best value. */
const LAST_RISE = 2e-7;
/** Of the previous direction in the next. */
const MOMENTUM = 0.4;
/** Evaluations without progress after which the level comes down, and the search goes on from the best prices; fewer where it has just come down in vain. */
const STALLS = 15;
const STALLS_AGAIN = 6;
const LOWER = 0.7;
/** What counts as progress, as a share of the rise. */
const PROGRESS = 0.1;

export interface AscentOptions {
  /** Most evaluations of D, with those that were made before. */
  evaluations: number;
  /** The total latency of a schedule, which D never exceeds. */
  schedule: number;
  /** Prices must not rise from round to round. */
  nonIncreasing: boolean;
  pauses: Pauses;
  /** @param done  evaluations so far. */
  onEvaluation(done: number): void;
}

/**
 * Raises D from given prices, which become the best ones found: steps along d = 0.4 d + 0.6 g, g a supergradient, as long as would reach the best value
 * plus a rise if D were linear (Polyak's step to a level); where that has not come for a while, the rise was too much to ask.
 * Prices are scaled by what there is of a round, so that a step moves those of memory and of slots alike.
 *
 * @returns the best D.
 * @see B. Polyak, Minimization of unsmooth functionals, USSR Comp. Math. 9(3), 1969; U. Brannlund, K. Kiwiel, P. Lindberg, A descent proximal level
 *      bundle method, Oper. Res. Letters 17, 1995, for levels that are lowered.
 */
export async function ascend(dual: Dual, prices: BoundPrices, o: AscentOptions): Promise<number> {
  const sides = sidesOf(dual, prices);
  let best = Number.NEGATIVE_INFINITY;
  let level = best;
  let rise = 0;
  let stalls = 0;
  let patience = STALLS;
  for (let done = 0; dual.evaluations < o.evaluations; done++) {
    if (o.pauses.due) await o.pauses.take();
    const value = await dual.evaluate(prices);
    o.onEvaluation(dual.evaluations);
    stalls++;
    if (value > best) {
      if (done === 0) rise = FIRST_RISE * Math.max(1, o.schedule - value);
      if (value > level + PROGRESS * rise) {
        stalls = 0;
        patience = STALLS;
        level = value;
      }
      best = value;
      for (const side of sides) side.best.set(side.price);
    }
    if (stalls > patience) {
      rise *= LOWER;
      if (rise < LAST_RISE * Math.abs(best)) break;
      stalls = 0;
      patience = STALLS_AGAIN;
      level = best;
      for (const side of sides) side.restart();
      continue;
    }
    // Of a direction that is 0 with what is left of older ones, and without: only then no price can be moved to any gain.
    const norm = turn(sides) || turn(sides);
    if (norm === 0) break;
    for (const side of sides) side.step((best + rise - value) / norm, o.nonIncreasing);
  }
  for (const side of sides) side.price.set(side.best);
  return best;
}

const turn = (sides: readonly Side[]): number => sides.reduce((sum, side) => sum + side.turn(), 0);

/** Memory, and slots where they are limited. */
function sidesOf(dual: Dual, { kv, slot }: BoundPrices): Side[] {
  const memory = new Side(kv, dual.usage, dual.pool.memory);
  return slot ? [memory, new Side(slot, dual.running, dual.pool.slots)] : [memory];
}

/** The prices of one resource, of which a round has `capacity`. */
class Side {
  readonly best: Float64Array;
  private readonly direction: Float64Array;

  constructor(
    readonly price: Float64Array,
    private readonly usage: Float64Array,
    private readonly capacity: number,
  ) {
    this.best = price.slice();
    this.direction = new Float64Array(price.length);
  }

  /** Takes the supergradient into the direction.  @returns the direction's squared length, by scaled prices. */
  turn(): number {
    const { price, usage, capacity, direction } = this;
    let norm = 0;
    for (let t = 1; t < price.length; t++) {
      const d = MOMENTUM * direction[t] + (1 - MOMENTUM) * (usage[t] / capacity - 1);
      direction[t] = price[t] <= 0 && d < 0 ? 0 : d;
      norm += direction[t] * direction[t];
    }
    return norm;
  }

  step(length: number, nonIncreasing: boolean): void {
    const { price, direction } = this;
    const scaled = length / this.capacity;
    for (let t = 1; t < price.length; t++) price[t] = Math.max(0, price[t] + scaled * direction[t]);
    if (nonIncreasing) makeNonIncreasing(price);
  }

  /** To the best prices, without a direction. */
  restart(): void {
    this.price.set(this.best);
    this.direction.fill(0);
  }
}
