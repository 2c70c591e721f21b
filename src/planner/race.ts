import type { Random } from "../common/random.ts";
import { Arrangement, type Rows } from "./arrangement.ts";
import { Flows } from "./flows.ts";
import type { Outlook } from "./outlook.ts";
import { propose } from "./propose.ts";
import type { Found, SearchContext } from "./search.ts";

/** Scenarios of a round, drawn anew for each: what was gained by chance is lost again. */
const SCENARIOS = 1024;
/** Moves of a round, per slot. */
const MOVES = 4;
const FEWEST_MOVES = 500;
/** A round that takes off less than this share of the imbalance is the last. */
const FUTILE = 0.15;
/** Improvements below this are noise, and so is an imbalance below 1 + this. */
const ENOUGH = 1e-4;

/**
 * Improves a placement move by move: each is raced against the placement as it is on the same scenarios, and made only if it is better by more than
 * chance (O. Maron, A. W. Moore, Hoeffding races, NIPS 1993). Ends after `rounds`, or where they become futile.
 */
export async function race(
  outlook: Outlook,
  start: Rows,
  context: SearchContext,
  rounds: number,
  random: Random,
): Promise<Found> {
  const { machine, before, movable, kind, objective, pacer } = context;
  let rows = start;
  let evaluations = 0;
  for (let round = 0; round < rounds && !pacer.isOver; round++) {
    const arrangement = new Arrangement(machine, rows, before);
    const flows = new Flows(arrangement, outlook.draw(SCENARIOS, random), objective);
    const { worth } = flows;
    const moves = Math.max(FEWEST_MOVES, MOVES * machine.used);
    for (let i = 0; i < moves && flows.worth > 1 + ENOUGH; i++) {
      await pacer.breathe();
      if (pacer.isOver) break;
      evaluations++;
      const move = propose(arrangement, flows, kind, random, arrangement.moved >= movable);
      if (!move || arrangement.moved + arrangement.movedBy(move) > movable) continue;
      flows.tryMove(move);
    }
    rows = arrangement.rows();
    if (worth - flows.worth < Math.max(ENOUGH, FUTILE * (worth - 1))) break;
  }
  return { rows, evaluations };
}
