import { PlacementError } from "../common/errors.ts";
import { heldBy, type Rows, slotsMoved, withoutDuplicates } from "./arrangement.ts";
import { type LayerHistory, slice } from "./history.ts";
import { ofValues } from "./objective.ts";
import { evaluate, type SearchContext, search } from "./search.ts";
import { eplbRows } from "./start.ts";

/** The objective on the same batches, */
export interface Comparison {
  /** under EPLB's placement, or the one in force, */
  before: number;
  /** and under the optimised one. */
  after: number;
}

export interface LayerOutcome {
  /** EPLB's placement, or the one in force. */
  base: Rows;
  rows: Rows;
  /** Why the layer was not optimised: the search found nothing better on the recorded batches, or on those held out. */
  kept: "recorded" | "validation" | undefined;
  recorded: Comparison;
  validation: Comparison | undefined;
  evaluations: number;
}

/** Of the steps, those held out at the end: a placement fitted to the others is tried on them. */
const HELD_OUT = 1 / 4;
/** A history with fewer steps is not split: nothing could be learnt from so few. */
const FEWEST_TO_SPLIT = 8;
/** Annealing runs of the trial, a fifth of the work of the search proper. */
const TRIAL_RUNS = 2;
/** Of a layer's time, the trial gets one of so many parts. */
const TRIAL_PARTS = 4;

/** Where a search begins that may not move everything. */
export interface InForce {
  /** What the GPUs hold: no slot that gets another expert than one of these has moved. */
  held: Rows;
  /** What is in force; after a repair, with as few slots moved as had to be. */
  base: Rows;
  /** Where to begin, without an expert twice on a GPU; by default the base, such slots being given to others. */
  start?: Rows;
}

/** The base and where the search begins: the base, but where an expert sits twice on a GPU, which only makes room for something better. */
function startOf(history: LayerHistory, inForce: InForce | undefined, { machine }: SearchContext) {
  const base = inForce?.base ?? eplbRows(machine, history.mean);
  return { base, start: inForce?.start ?? withoutDuplicates(machine, base, history.mean) };
}

async function compare(context: SearchContext, placements: readonly Rows[], on: LayerHistory): Promise<number[]> {
  const worths: number[] = [];
  for (const one of placements) {
    // One by one: a repaired placement may have fewer slots in use than the one that is better.
    const { values } = await evaluate(context, [one], on.share);
    worths.push(ofValues(context.objective, values[0]));
  }
  return worths;
}

/**
 * The best placement found for one layer, on recorded batches never worse than its base.
 *
 * A search is tried on the past before it is trusted with the future: fitted to the first three quarters, is it at least as good on the
 * last as what it began with? Only then is it done again on everything.
 *
 * @param parts  The layer may take one of so many parts of the time left.
 *
 * @internal
 */
export async function optimizeLayer(
  history: LayerHistory,
  inForce: InForce | undefined,
  everyLayer: SearchContext,
  parts: number,
): Promise<LayerOutcome> {
  const { machine, pacer, movable } = everyLayer;
  const before = inForce && heldBy(inForce.held, machine.experts);
  const context = { ...everyLayer, before };
  const { base, start } = startOf(history, inForce, context);
  const needed = inForce ? slotsMoved(inForce.held, start) : 0;
  if (needed > movable) {
    const expected = `at least ${needed}, as many as experts that sit twice on a GPU`;
    throw new PlacementError("unchangedWeights.slots", expected, movable);
  }
  if (history.steps === 0) {
    const nothing = { before: 1, after: 1 }; // no load is balanced however it is placed
    return { base, rows: start, kept: "recorded", recorded: nothing, validation: undefined, evaluations: 0 };
  }

  let validation: Comparison | undefined;
  let evaluations = 0;
  if (history.steps >= FEWEST_TO_SPLIT) {
    pacer.allot(parts * TRIAL_PARTS);
    const split = Math.floor(history.steps * (1 - HELD_OUT));
    const fitted = slice(history, 0, split);
    const tried = startOf(fitted, inForce, context);
    const found = await search(fitted, tried.start, { ...context, runs: Math.min(TRIAL_RUNS, context.runs) });
    evaluations += found.evaluations;
    const [eplb, optimized] = await compare(context, [tried.base, found.rows], slice(history, split, history.steps));
    validation = { before: eplb, after: optimized };
  }
  let rows: Rows = start;
  let kept: LayerOutcome["kept"] = "validation";
  if (!validation || validation.after <= validation.before) {
    pacer.allot(parts);
    const found = await search(history, start, context);
    evaluations += found.evaluations;
    rows = found.rows;
    kept = undefined;
  }
  const [ofBase, ofStart, ofRows] = await compare(context, [base, start, rows], history);
  if (ofRows > ofStart || (rows === start && !kept)) kept = "recorded";
  if (kept) rows = start;
  return { base, rows, kept, recorded: { before: ofBase, after: kept ? ofStart : ofRows }, validation, evaluations };
}

/** Means over the layers that have tokens: the others, balanced however they are placed, would dilute them. 1 where none has. */
export function meanRecorded(histories: readonly LayerHistory[], outcomes: readonly LayerOutcome[]): Comparison {
  const full = outcomes.filter((_, layer) => histories[layer].steps > 0);
  const mean = (of: (recorded: Comparison) => number) =>
    full.length === 0 ? 1 : full.reduce((sum, { recorded }) => sum + of(recorded), 0) / full.length;
  return { before: mean(({ before }) => before), after: mean(({ after }) => after) };
}
