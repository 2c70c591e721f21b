import { type Random, seeded } from "../common/random.ts";
import { topologyOfPlacement } from "../lp/topology.ts";
import { anneal } from "./anneal.ts";
import { Arrangement, type Machine, placementOf, type Rows } from "./arrangement.ts";
import type { FindBottlenecks } from "./bottlenecks.ts";
import { CutPool } from "./cut_pool.ts";
import { CutSets } from "./cut_sets.ts";
import type { LayerHistory } from "./history.ts";
import { type Objective, ofValues } from "./objective.ts";
import type { Pacer } from "./pacer.ts";
import type { MoveKind } from "./propose.ts";
import { drawScenarios } from "./scenarios.ts";

/** What a search needs besides a history and a place to begin. */
export interface SearchContext {
  machine: Machine;
  objective: Objective;
  find: FindBottlenecks;
  pacer: Pacer;
  seed: number;
  kind: MoveKind;
  /** [G, E] what each GPU holds in the placement in force, and how many slots may hold another expert; none where all may. */
  before?: Uint8Array;
  movable: number;
  /** Annealing runs at most, each twice as long as the one before. */
  runs: number;
}

export interface Found {
  rows: Rows;
  evaluations: number;
}

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
/** Where the pool is incomplete, the exact solver looks at what a run found so many times, and adds the cuts that the pool lacks. */
const CHECKS = 16;

/** Imbalances of K placements on every row: [K][n]. */
export async function evaluate(
  { find, machine }: Pick<SearchContext, "find" | "machine">,
  placements: readonly Rows[],
  rows: Float64Array,
) {
  const topologies = placements.map((one) => topologyOfPlacement(placementOf(one), machine.speed));
  const { imbalance, member } = await find(topologies, rows);
  const n = imbalance.length / placements.length;
  return { values: placements.map((_, i) => imbalance.subarray(i * n, (i + 1) * n)), member };
}

/**
 * Looks for a placement that balances the batches to come better than the one given: annealing runs of growing length, each from the best so far,
 * on scenarios of its own, drawn from the history. What a run found counts only as far as it is better on others that no run has seen.
 *
 * Given the seed, the outcome depends on nothing else, unless time runs out.
 */
export async function search(history: LayerHistory, start: Rows, context: SearchContext): Promise<Found> {
  const { machine, objective, pacer, before } = context;
  const random = seeded(context.seed);
  const unseen = drawScenarios(history, UNSEEN, random);
  const judge = async (rows: Rows) => ofValues(objective, (await evaluate(context, [rows], unseen)).values[0]);

  let best = { rows: start, worth: await judge(start) };
  let evaluations = 0;
  let futile = 0;
  const sets = new CutSets(machine);
  for (let run = 0; run < context.runs && futile < FUTILE_RUNS && best.worth > 1 + ENOUGH && !pacer.isOver; run++) {
    const scenarios = drawScenarios(history, Math.min(MOST_SCENARIOS, FIRST_SCENARIOS * 2 ** run), random);
    const arrangement = new Arrangement(machine, best.rows, before);
    const pool = new CutPool(machine, arrangement, scenarios, objective, sets);
    const length = FIRST_RUN * machine.used * 2 ** run;
    const found = await annealExactly(pool, arrangement, scenarios, length, context, random);
    evaluations += found.evaluations;
    const worth = await judge(found.rows);
    futile = worth < best.worth - ENOUGH ? 0 : futile + 1;
    if (worth < best.worth) best = { rows: found.rows, worth };
  }
  return { rows: best.rows, evaluations };
}

/** One annealing run; where the pool is incomplete, in pieces with the exact solver between them. */
async function annealExactly(
  pool: CutPool,
  arrangement: Arrangement,
  scenarios: Float64Array,
  length: number,
  context: SearchContext,
  random: Random,
): Promise<Found> {
  const { machine, objective, pacer, kind, movable } = context;
  const heat = Math.min(HOTTEST_START, Math.max(COOLEST_START, HEAT * (pool.worth - 1)));
  const pieces = pool.sets.complete ? 1 : CHECKS;
  let best = { rows: arrangement.rows(), worth: Infinity };
  let evaluations = 0;
  for (let piece = 0; piece < pieces && !pacer.isOver; piece++) {
    const hot = heat * COOLING ** (piece / pieces);
    const cold = heat * COOLING ** ((piece + 1) / pieces);
    const options = { kind, movable, evaluations: Math.ceil(length / pieces), hot, cold };
    const found = await anneal(arrangement, pool, options, random, pacer);
    evaluations += found.evaluations;
    const rows = arrangement.rows(found.best);
    if (pool.sets.complete) return { rows, evaluations };
    // The bounds of the best and of the last may be too good to be true.
    const candidates = [rows, arrangement.rows()];
    const { values, member } = await evaluate(context, candidates, scenarios);
    for (const [i, candidate] of candidates.entries()) {
      const worth = ofValues(objective, values[i]);
      if (worth < best.worth) best = { rows: candidate, worth };
    }
    for (let at = 0; at < member.length; at += machine.gpus) pool.add(member.subarray(at, at + machine.gpus));
    pool.settle();
  }
  return { rows: best.rows, evaluations };
}
