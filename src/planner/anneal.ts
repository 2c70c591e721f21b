import type { Random } from "../common/random.ts";
import type { Arrangement } from "./arrangement.ts";
import type { CutPool } from "./cut_pool.ts";
import type { Pacer } from "./pacer.ts";
import { type MoveKind, propose } from "./propose.ts";

export interface AnnealOptions {
  kind: MoveKind;
  /** How many slots may hold another expert than before. */
  movable: number;
  /** Moves to draw. */
  evaluations: number;
  /** Temperatures at the beginning and at the end, in units of imbalance. */
  hot: number;
  cold: number;
}

export interface Annealed {
  /** The slots of the best arrangement on the way, by the pool's bound. */
  best: Int32Array;
  worth: number;
  evaluations: number;
}

/** So close to a perfect balance of every scenario there is nothing left to gain. */
const PERFECT = 1e-4;
/** Moves between two looks at the clock. */
const CLOCK_EVERY = 16;

/**
 * Simulated annealing on the pool's bound (S. Kirkpatrick et al., Science 220, 1983): a move that makes the objective worse by d is made
 * with probability exp(-d / T), T falling from hot to cold. The draw comes before the move is valued, so that a bad one can be given up early.
 *
 * @param arrangement  The pool's own. Changed.
 */
export async function anneal(
  arrangement: Arrangement,
  pool: CutPool,
  { kind, movable, evaluations, hot, cold }: AnnealOptions,
  random: Random,
  pacer: Pacer,
): Promise<Annealed> {
  let best = arrangement.slot.slice();
  let worth = pool.worth;
  let tried = 0;
  for (; tried < evaluations && worth > 1 + PERFECT; tried++) {
    if (tried % CLOCK_EVERY === 0) {
      await pacer.breathe();
      if (pacer.isOver) break;
    }
    const move = propose(arrangement, pool, kind, random);
    if (!move || arrangement.moved + arrangement.movedBy(move) > movable) continue;
    const temperature = hot * (cold / hot) ** (tried / evaluations);
    const allowed = pool.worth - temperature * Math.log(1 - random.next());
    if (pool.tryMove(move, allowed) > allowed) continue;
    pool.commit(move);
    if (pool.worth >= worth) continue;
    worth = pool.worth;
    best = arrangement.slot.slice();
  }
  return { best, worth, evaluations: tried };
}
