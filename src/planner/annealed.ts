import { type Random, seeded } from "../common/random.ts";
import { anneal } from "./anneal.ts";
import { Arrangement, type Rows } from "./arrangement.ts";
import { CutPool } from "./cut_pool.ts";
import type { LayerHistory } from "./history.ts";
import { drawScenarios } from "./scenarios.ts";
import { type Found, type SearchContext, worths } from "./search.ts";

/** Scenarios to judge by what a run found. */
const UNSEEN = 256;
/** Scenarios of the first run; further runs have twice as many each, up to MOST_SCENARIOS. */
const FIRST_SCENARIOS = 128;
const MOST_SCENARIOS = 512;
/** Moves per slot in the first run; each further run is twice as long. */
const FIRST_RUN = 30;
/** Runs without success after which the search ends. */
const FUTILE_RUNS = 2;
/** Improvements below this are noise, and so is an imbalance below 1 + this. */
const ENOUGH = 1e-4;
/** The first temperature as a share of the imbalance to lose, and its limits; it falls by COOLING in a run. */
const HEAT = 0.2;
const COOLEST_START = 2e-4;
const HOTTEST_START = 0.02;
const COOLING = 1 / 50;

/**
 * Looks for a placement that balances the batches to come better than the one given: annealing runs of growing length, each from the best so far,
 * on scenarios of its own, drawn from the history. What a run found counts only as far as it is better on others that no run has seen.
 *
 * Given the seed, the outcome depends on nothing else, unless time runs out.
 *
 * @param runs  At most, each twice as long as the one before.
 */
export async function annealed(
  history: LayerHistory,
  start: Rows,
  context: SearchContext,
  runs: number,
): Promise<Found> {
  const { pacer } = context;
  const random = seeded(context.seed);
  const unseen = drawScenarios(history, UNSEEN, random);
  const judge = async (rows: Rows) => (await worths(context, [rows], unseen))[0];

  let best = { rows: start, worth: await judge(start) };
  let evaluations = 0;
  let futile = 0;
  for (let run = 0; run < runs && futile < FUTILE_RUNS && best.worth > 1 + ENOUGH && !pacer.isOver; run++) {
    const scenarios = drawScenarios(history, Math.min(MOST_SCENARIOS, FIRST_SCENARIOS * 2 ** run), random);
    const found = await annealOn(scenarios, best.rows, FIRST_RUN * 2 ** run, context, random);
    evaluations += found.evaluations;
    const worth = await judge(found.rows);
    futile = worth < best.worth - ENOUGH ? 0 : futile + 1;
    if (worth < best.worth) best = { rows: found.rows, worth };
  }
  return { rows: best.rows, evaluations };
}

/** One annealing run of so many moves per slot. */
async function annealOn(
  scenarios: Float64Array,
  start: Rows,
  movesPerSlot: number,
  { machine, objective, before, pacer, kind, movable }: SearchContext,
  random: Random,
): Promise<Found> {
  const arrangement = new Arrangement(machine, start, before);
  const pool = new CutPool(machine, arrangement, scenarios, objective);
  const hot = Math.min(HOTTEST_START, Math.max(COOLEST_START, HEAT * (pool.worth - 1)));
  const options = { kind, movable, evaluations: movesPerSlot * machine.used, hot, cold: hot * COOLING };
  const { best, evaluations } = await anneal(arrangement, pool, options, random, pacer);
  return { rows: arrangement.rows(best), evaluations };
}
