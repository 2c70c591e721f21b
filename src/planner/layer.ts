import { seeded } from "../common/random.ts";
import { annealed } from "./annealed.ts";
import { heldBy, type Rows, slotsMoved, withoutDuplicates } from "./arrangement.ts";
import { leastImbalances } from "./bound.ts";
import { MOST_LISTED_GPUS } from "./cut_sets.ts";
import { type LayerHistory, meanShare, slice } from "./history.ts";
import { leastMoved } from "./least_moved.ts";
import { ofValues } from "./objective.ts";
import { Outlook } from "./outlook.ts";
import { bestOfPortfolio } from "./portfolio.ts";
import { race } from "./race.ts";
import { type Found, type SearchContext, worths, worthsOn } from "./search.ts";
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
  /** Batches with tokens. */
  steps: number;
  /** Why the layer was not optimised: the search found nothing better on the recorded batches, or on those held out. */
  kept: "recorded" | "validation" | undefined;
  recorded: Comparison;
  /** On recorded batches no placement has less. */
  bound: number;
  validation: Comparison | undefined;
  evaluations: number;
}

/** Of the steps, those held out at the end: a placement fitted to the others is tried on them. */
const HELD_OUT = 1 / 4;
/** A history with fewer steps is not split: nothing could be learnt from so few. */
const FEWEST_TO_SPLIT = 8;
/** Annealing runs and rounds of the race; of the trial, which need only tell whether they serve. */
const RUNS = { search: 4, trial: 2 };
const ROUNDS = { search: 5, trial: 1 };
/** Of a layer's time, the trial gets one of so many parts. */
const TRIAL_PARTS = 4;
/** Scenarios that no search has seen, and that go further astray: what was won must hold there, too. */
const UNSEEN = 512;
const UNSEEN_WIDTH = 1.4;
/** An imbalance below 1 + this is none. */
const PERFECT = 1e-4;
/** Ways that differ by no more on a last quarter are alike. */
const ALIKE = 5e-4;

/** Where a search begins that may not move everything. */
export interface InForce {
  /** What the GPUs hold: no slot that gets another expert than one of these has moved. */
  held: Rows;
  /** What is in force; after a repair, with as few slots moved as had to be. */
  base: Rows;
  /** Where to begin, without an expert twice on a GPU; by default the base, such slots being given to others. */
  start?: Rows;
}

/** A search that has a beginning: the best of the portfolio, and what it was worth on the last quarter when fitted to the others. */
export interface Draft {
  chosen: Rows;
  /** On scenarios: 1 where nothing is left to gain. */
  worth: number;
  /** None where there are too few steps. */
  trial: { chosen: Rows; validation: Comparison } | undefined;
  evaluations: number;
}

/** The base and where the search begins: the base, but where an expert sits twice on a GPU, which only makes room for something better. */
function startOf(history: LayerHistory, inForce: InForce | undefined, { machine }: SearchContext) {
  const eplb = () => {
    const rows = eplbRows(machine, history.mean);
    return machine.replicas === "across-nodes" ? withoutDuplicates(machine, rows, history.mean) : rows; // EPLB knows no such rule
  };
  const base = inForce?.base ?? eplb();
  return { base, start: inForce?.start ?? withoutDuplicates(machine, base, history.mean) };
}

function split(history: LayerHistory) {
  if (history.steps < FEWEST_TO_SPLIT) return undefined;
  const at = Math.floor(history.steps * (1 - HELD_OUT));
  return { fitted: slice(history, 0, at), last: slice(history, at, history.steps) };
}

/** @internal The portfolio's choice for a layer and, if it is to be tried, for its first three quarters. */
export async function draftLayer(
  history: LayerHistory,
  inForce: InForce | undefined,
  context: SearchContext,
  isTried = true,
): Promise<Draft> {
  const { start } = startOf(history, inForce, context);
  if (history.steps === 0) return { chosen: start, worth: 1, trial: undefined, evaluations: 0 };
  const parts = isTried ? split(history) : undefined;
  let trial: Draft["trial"];
  let evaluations = 0;
  if (parts) {
    const { base, start } = startOf(parts.fitted, inForce, context);
    const { rows, tried } = await portfolio(parts.fitted, start, inForce, context);
    const [before, after] = await worthsOn(context, [base, rows], parts.last);
    trial = { chosen: rows, validation: { before, after } };
    evaluations += tried;
  }
  const { rows, worth, tried } = await portfolio(history, start, inForce, context);
  return { chosen: rows, worth, trial, evaluations: evaluations + tried };
}

function portfolio(history: LayerHistory, start: Rows, inForce: InForce | undefined, context: SearchContext) {
  const { machine, movable, seed } = context;
  const near = (rows: Rows) => {
    if (!inForce) return rows;
    const placed = leastMoved(machine, inForce.held, rows);
    return slotsMoved(inForce.held, placed) <= movable ? placed : undefined;
  };
  // Where it is time that counts, EPLB of the work may do better than of the tokens.
  const work = history.costed && meanShare(history.share, history.experts);
  const eplb = work && near(withoutDuplicates(machine, eplbRows(machine, work), work));
  return bestOfPortfolio(context, history, new Outlook(history), eplb ? [start, eplb] : [start], near, seeded(seed));
}

/**
 * The best placement found for one layer, on recorded batches never worse than its base.
 *
 * A search is tried on the past before it is trusted with the future: which of the ways is best on the last quarter when fitted to the
 * others, and is it at least as good there as what it began with? Only then is it done on everything.
 *
 * @internal
 */
export async function optimizeLayer(
  history: LayerHistory,
  inForce: InForce | undefined,
  everyLayer: SearchContext,
  draft: Draft,
): Promise<LayerOutcome> {
  const before = inForce && heldBy(inForce.held, everyLayer.machine.experts);
  const context = { ...everyLayer, before };
  const { base, start } = startOf(history, inForce, context);
  if (history.steps === 0) {
    const nothing = { before: 1, after: 1 }; // no load is balanced however it is placed
    const none = { recorded: nothing, bound: 1, validation: undefined, evaluations: 0 };
    return { base, rows: start, steps: 0, kept: "recorded", ...none };
  }
  const { way, validation, evaluations } = await trial(history, inForce, draft, context);
  context.pacer.allot(1);
  const from = { start, chosen: served(draft) ? draft.chosen : start };
  const found = way ? await taken(way, history, from, context) : { rows: start, evaluations: 0 };
  let kept: LayerOutcome["kept"] = way ? undefined : validation ? "validation" : "recorded";
  const [ofBase, ofStart, ofRows] = await worthsOn(context, [base, start, found.rows], history);
  if (ofRows > ofStart || (slotsMoved(start, found.rows) === 0 && !kept)) kept = "recorded";
  return {
    base,
    rows: kept ? start : found.rows,
    steps: history.steps,
    kept,
    recorded: { before: ofBase, after: kept ? ofStart : ofRows },
    bound: ofValues(context.objective, leastImbalances(context.machine, history)),
    validation,
    evaluations: draft.evaluations + evaluations + found.evaluations,
  };
}

/** A way to a placement: from where the layer begins, or from what the portfolio chose. */
type Way = (
  history: LayerHistory,
  from: { start: Rows; chosen: Rows },
  context: SearchContext,
  effort: Effort,
) => Promise<Found>;
type Effort = "search" | "trial";

const asChosen: Way = async (_, { chosen }) => ({ rows: chosen, evaluations: 0 });

const byAnnealing: Way = (history, { start }, context, effort) => annealed(history, start, context, RUNS[effort]);

const byRace: Way = (history, { chosen }, context, effort) => {
  return race(new Outlook(history), chosen, context, ROUNDS[effort], seeded(context.seed + 1));
};

/** What a way finds, unless the portfolio's choice is better on unseen scenarios: then that. */
async function taken(
  way: Way,
  history: LayerHistory,
  from: { start: Rows; chosen: Rows },
  context: SearchContext,
): Promise<Found> {
  const found = await way(history, from, context, "search");
  const unseen = new Outlook(history).draw(UNSEEN, seeded(context.seed + 2), UNSEEN_WIDTH);
  const [ofChosen, ofFound] = await worths(context, [from.chosen, found.rows], unseen);
  return ofFound < ofChosen ? found : { ...found, rows: from.chosen };
}

/** From the quickest to the most thorough. */
function waysOf({ worth }: Draft, { machine, spent }: SearchContext): Way[] {
  if (machine.capacity.every((slots) => slots === 1)) return []; // where a GPU has one expert the LP has nothing to decide
  if (worth <= 1 + PERFECT) return [asChosen];
  return machine.gpus <= MOST_LISTED_GPUS && !spent ? [asChosen, byRace, byAnnealing] : [asChosen, byRace];
}

/** The best of the ways on the last quarter, of those that are as good the most thorough; none where all are worse than the base. */
async function trial(history: LayerHistory, inForce: InForce | undefined, draft: Draft, context: SearchContext) {
  const { pacer } = context;
  const ways = waysOf(draft, context);
  const parts = split(history);
  if (!parts || !draft.trial || ways.length === 0) {
    return { way: ways.at(-1), validation: undefined, evaluations: 0 };
  }
  const { validation } = draft.trial;
  const { start } = startOf(parts.fitted, inForce, context);
  const from = { start, chosen: served(draft) ? draft.trial.chosen : start };
  const worth: number[] = [];
  let evaluations = 0;
  for (const [i, way] of ways.entries()) {
    pacer.allot(TRIAL_PARTS * (ways.length - i));
    const found = await way(parts.fitted, from, context, "trial");
    evaluations += found.evaluations;
    worth.push((await worthsOn(context, [found.rows], parts.last))[0]);
  }
  const least = Math.min(...worth);
  const best = worth.findLastIndex((one) => one <= least + ALIKE);
  const way = least <= validation.before ? ways[best] : undefined;
  return { way, validation: { before: validation.before, after: worth[best] }, evaluations };
}

/** Whether the portfolio's choice was no worse on the last quarter than what the layer begins with. */
function served({ trial }: Draft): boolean {
  return !trial || trial.validation.after <= trial.validation.before;
}

/** Means over the layers that have tokens: the others, balanced however they are placed, would dilute them. 1 where none has. */
export function meanRecorded(outcomes: readonly LayerOutcome[]): Comparison {
  const full = outcomes.filter(({ steps }) => steps > 0);
  const mean = (of: (recorded: Comparison) => number) =>
    full.length === 0 ? 1 : full.reduce((sum, { recorded }) => sum + of(recorded), 0) / full.length;
  return { before: mean(({ before }) => before), after: mean(({ after }) => after) };
}
