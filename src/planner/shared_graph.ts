import { ArgumentError, ShapeError } from "../common/errors.ts";
import { seeded } from "../common/random.ts";
import { Placement } from "../placement/placement.ts";
import type { RedundantToOriginal } from "../placement/topologies.ts";
import { annealed } from "./annealed.ts";
import type { Machine, Rows } from "./arrangement.ts";
import { rowsOf } from "./arrangement.ts";
import { MOST_LISTED_GPUS } from "./cut_sets.ts";
import type { LayerHistory } from "./history.ts";
import { type LayerOutcome, meanRecorded } from "./layer.ts";
import { Outlook } from "./outlook.ts";
import { race } from "./race.ts";
import { type Found, type SearchContext, worths } from "./search.ts";

/** What all layers share, and what that costs. */
export interface SharedGraph {
  /** The roles that each GPU holds; in each layer every expert has one of the roles 0 to E - 1. */
  roles: number[][];
  /** The layer whose own optimum the graph is; none for a given r2o. */
  fromLayer: number | undefined;
  /** Mean over the layers with tokens of the objective on recorded batches, each layer with the best placement of its own, and with the shared graph. */
  free: number;
  shared: number;
}

/** Batches of each layer on which the graphs are compared. */
const COMPARED = 32;
/** Annealing runs, or rounds of a race. */
const RUNS = 4;

/** "best", the roles of a given r2o, or none.  @throws {PlacementError | ShapeError} The r2o is none, or not of the machine's size. */
export function checkGraph(
  shared: boolean | RedundantToOriginal | undefined,
  { gpus, experts, used, nodes, capacity }: Machine,
): Rows | "best" | undefined {
  if (shared === undefined || shared === false) return undefined;
  if (shared === true) return "best";
  if (!Array.isArray(shared)) throw new ArgumentError("sharedTopology", "true, false or an r2o", shared);
  if ((used - experts) % gpus !== 0 || used === experts || capacity.some((slots) => slots !== used / gpus)) {
    throw new ShapeError("redundant", `a multiple of gpus = ${gpus}, as r2o has it`, used - experts);
  }
  if (nodes > 1) throw new ArgumentError("nodes", "1 with an r2o, whose copies lie where it says", nodes);
  const redundantsPerRank = (used - experts) / gpus;
  return rowsOf(
    Placement.fromRedundantToOriginal(shared, { logicalExperts: experts, epSize: gpus, redundantsPerRank }),
  );
}

/** The same graph with another expert in each role. */
function withExperts(roles: Rows, expertOf: readonly number[]): number[][] {
  return roles.map((row) => row.map((role) => expertOf[role]));
}

function byLoad(mean: Float64Array): number[] {
  return [...mean.keys()].sort((a, b) => mean[b] - mean[a]);
}

/**
 * One replica graph for all layers: given, or the one of all layers' own optima that suits them best when experts take roles by rank of their loads.
 * Then every layer looks for the best experts in the roles. The layers' own optima stay the measure of what sharing costs.
 *
 * @internal
 */
export async function optimizeShared(
  histories: readonly LayerHistory[],
  free: readonly LayerOutcome[],
  given: Rows | "best",
  context: SearchContext,
  onLayer: () => void,
): Promise<{ graph: SharedGraph; outcomes: LayerOutcome[] }> {
  const { machine, pacer } = context;
  const ranks = histories.map(({ mean }) => byLoad(mean));
  // Role i is that of the i-th heaviest expert.
  const ownRoles = (layer: number) => {
    const role = new Array<number>(machine.experts);
    for (const [rank, e] of ranks[layer].entries()) role[e] = rank;
    return withExperts(free[layer].rows, role);
  };
  const graphs = given === "best" ? histories.map((_, layer) => ownRoles(layer)) : [mostCopiedFirst(given)];
  const fit = new Float64Array(graphs.length);
  for (const [layer, history] of histories.entries()) {
    if (graphs.length === 1 || history.steps === 0) continue;
    const placements = graphs.map((roles) => withExperts(roles, ranks[layer]));
    const compared = await worths(context, placements, everySo(history, COMPARED));
    for (const [i, worth] of compared.entries()) fit[i] += worth;
  }
  const best = fit.indexOf(fit.reduce((a, b) => Math.min(a, b)));
  const roles = graphs[best];

  const outcomes: LayerOutcome[] = [];
  for (const [layer, history] of histories.entries()) {
    pacer.allot(histories.length - layer);
    const start = withExperts(roles, ranks[layer]);
    const outcome: LayerOutcome = { ...free[layer], rows: start, validation: undefined, kept: undefined };
    if (history.steps > 0) {
      const found = await relabelled(history, start, context);
      const [ofStart, ofFound] = await worths(context, [start, found.rows], history.share);
      outcome.rows = ofFound <= ofStart ? found.rows : start;
      outcome.recorded = { before: free[layer].recorded.before, after: Math.min(ofStart, ofFound) };
      outcome.evaluations += found.evaluations;
    }
    outcomes.push(outcome);
    onLayer();
  }
  const fromLayer = given === "best" ? best : undefined;
  return {
    graph: { roles, fromLayer, free: meanRecorded(free).after, shared: meanRecorded(outcomes).after },
    outcomes,
  };
}

/** The best experts found for the roles of one layer. */
function relabelled(history: LayerHistory, start: Rows, any: SearchContext): Promise<Found> {
  const context = { ...any, kind: "relabel" } as const;
  if (context.machine.gpus <= MOST_LISTED_GPUS) return annealed(history, start, context, RUNS);
  return race(new Outlook(history), start, context, RUNS, seeded(context.seed));
}

/** Renames roles so that those with most copies come first: the heaviest experts take them. */
function mostCopiedFirst(roles: Rows): number[][] {
  const experts = 1 + roles.flat().reduce((a, b) => Math.max(a, b));
  const copies = new Int32Array(experts);
  for (const role of roles.flat()) copies[role]++;
  const renamed = new Array<number>(experts);
  for (const [rank, role] of byLoad(Float64Array.from(copies)).entries()) renamed[role] = rank;
  return withExperts(roles, renamed);
}

/** At most `most` rows, evenly over the time. */
function everySo({ steps, experts, share }: LayerHistory, most: number): Float64Array {
  const n = Math.min(steps, most);
  const rows = new Float64Array(n * experts);
  for (let i = 0; i < n; i++) {
    const step = Math.floor((i * steps) / n);
    rows.set(share.subarray(step * experts, (step + 1) * experts), i * experts);
  }
  return rows;
}
