import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { checkBackend, type SolverOptions } from "../lp/solver_options.ts";
import { Placement, type PlacementLike } from "../placement/placement.ts";
import type { RedundantToOriginal } from "../placement/topologies.ts";
import { EMPTY, inOrderOf, type Machine, nodeOf, placementOf, rowsOf, slotsMoved } from "./arrangement.ts";
import { inGraphOrder } from "./graph_order.ts";
import { checkHistory, type LoadHistory } from "./history.ts";
import { type LayerOutcome, meanRecorded, optimizeLayer } from "./layer.ts";
import { checkMachine, type MachineOptions } from "./machine.ts";
import { type Objective, objectives } from "./objective.ts";
import { openSearch } from "./open_search.ts";
import type { OptimizedLayer, OptimizedPlacements } from "./optimized.ts";
import { improveRepair, startRepair } from "./repair_layers.ts";
import { checkGraph, optimizeShared, type SharedGraph } from "./shared_graph.ts";

export interface OptimizeOptions extends MachineOptions, Pick<SolverOptions, "backend" | "device" | "adapter"> {
  /** What to minimise of the LP-optimal imbalances of the batches: their mean (default), 95th percentile, or the mean of the worst twentieth. */
  objective?: Objective;
  /** Time to take, 60,000 by default. The search ends earlier where it has done what it does. */
  budgetMs?: number;
  /** An integer; 1 by default. */
  seed?: number;
  signal?: AbortSignal;
  /** Called with the share of the layers that is done, 0 to 1. */
  onProgress?: (share: number) => void;
  /**
   * One replica graph for all layers, up to which expert is which: true for the best found, or LPLB's r2o. With an r2o the slots are in
   * LPLB's order, too, so that `placementsToJSON(placements, "lplb")` takes them.
   */
  sharedTopology?: boolean | RedundantToOriginal;
  /**
   * Begin with the placements in force, one per layer, and let at most `slots` slots of each layer hold an expert that their GPU did not hold.
   * Empty slots are filled first, as far as that goes; the others stay empty.
   */
  unchangedWeights?: { placements: readonly PlacementLike[]; slots: number };
}

const optimizeFields = {
  ...{ gpus: true, redundant: true, nodes: true, slotsPerGpu: true, speed: true },
  ...{ backend: true, device: true, adapter: true, objective: true, budgetMs: true, seed: true, signal: true },
  ...{ onProgress: true, sharedTopology: true, unchangedWeights: true },
} satisfies FieldsOf<OptimizeOptions>;

const DEFAULT_BUDGET_MS = 60_000;

/**
 * Looks for the placement of each layer's experts under which the LP balances best.
 *
 *   min over placements of  objective over batches of  t*(batch) / (total load / total speed)
 *
 * The search begins with EPLB's placement (`rebalanceExperts` of the mean loads), tries moves (a slot to another expert, two slots swapped, two experts
 * trading places) where prices point and at random, and values each by the cuts that bound t*: see CutPool. It works on batches drawn around the
 * recorded ones and where they drift (`drawScenarios`), is judged on others, and tried on a last quarter held out; a layer where it is no
 * better than what it began with keeps that. So no layer is worse on the recorded batches than EPLB's placement with the LP.
 *
 * An expert never sits twice on a GPU. A placement is as large as asked: E + redundant slots are in use.
 *
 * For a seed the answer is the same on every machine, as far as `stoppedBy` is "search" and the CPU solved; adapters may name another one of several
 * bottleneck sets. With little time it is still never worse than EPLB's: the search stops where it is, layer by layer in turn.
 * Not handled: loads besides the experts' (baseLoad); what moving weights costs, other than by a limit.
 *
 * @param history  Read, never written or kept.
 * @throws {ArgumentError | ShapeError | LoadError | PlacementError} The history, a count or an option is not as it should be.
 * @throws {DeviceError | KernelError} backend is "webgpu" and there is no device, or its compiler refuses a kernel.  @throws the signal's reason, promptly.
 * @see S. Kirkpatrick et al., Science 220, 1983; DeepSeek EPLB, 2025.
 */
export async function optimizePlacement(history: LoadHistory, options: OptimizeOptions): Promise<OptimizedPlacements> {
  requireObject("options", options, optimizeFields);
  const histories = checkHistory(history);
  const machine = checkMachine(history.experts, options);
  const { objective, budgetMs, seed } = checkOptions(options);
  const { placements: inForce, movable } = checkInForce(options.unchangedWeights, histories.length, machine);
  const graph = checkGraph(options.sharedTopology, machine);
  if (inForce && graph) {
    throw new ArgumentError("unchangedWeights", "undefined with sharedTopology", inForce, "It moves what it must.");
  }
  const search = { ...options, objective, budgetMs, seed };
  if (inForce?.some(({ physicalToLogical }) => physicalToLogical.includes(EMPTY))) {
    const starts = startRepair(inForce, history, { gpus: machine.gpus, dead: [], maxMoved: movable });
    const { moves: _, repaired: __, ...optimized } = await improveRepair(starts, history, search);
    return optimized;
  }
  const { context, pacer, report } = await openSearch(machine, search, movable);

  const outcomes: LayerOutcome[] = [];
  const parts = histories.length * (graph ? 2 : 1); // a shared topology is compared with the best for each layer
  let done = 0;
  const onPart = () => options.onProgress?.(++done / parts);
  for (const [layer, one] of histories.entries()) {
    const base = inForce && rowsOf(inForce[layer]);
    outcomes.push(await optimizeLayer(one, base && { held: base, base }, context, parts - done));
    onPart();
  }
  let shared: SharedGraph | undefined;
  if (graph) {
    const relabelled = await optimizeShared(histories, outcomes, graph, context, onPart);
    shared = relabelled.graph;
    outcomes.splice(0, outcomes.length, ...relabelled.outcomes);
  }
  const layers = outcomes.map(({ rows, base, recorded, validation, kept, evaluations }): OptimizedLayer => {
    return { recorded, validation, kept, moved: slotsMoved(base, rows), evaluations };
  });
  const { sharedTopology } = options;
  const ordered = Array.isArray(sharedTopology)
    ? ({ rows }: LayerOutcome) => inGraphOrder(placementOf(rows), sharedTopology)
    : ({ base, rows }: LayerOutcome) => placementOf(inOrderOf(base, rows));
  return {
    placements: outcomes.map(ordered),
    layers,
    recorded: meanRecorded(histories, outcomes),
    sharedTopology: shared,
    evaluations: layers.reduce((sum, { evaluations }) => sum + evaluations, 0),
    stoppedBy: pacer.ranOut ? "budget" : "search",
    ...report(),
  };
}

function checkOptions({ objective = "mean", budgetMs = DEFAULT_BUDGET_MS, seed = 1, ...options }: OptimizeOptions) {
  if (!objectives.includes(objective)) throw new ArgumentError("objective", `"mean", "p95" or "cvar"`, objective);
  if (typeof budgetMs !== "number" || !(budgetMs >= 0)) throw new ArgumentError("budgetMs", "a number >= 0", budgetMs);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  const { signal, onProgress, backend = "auto" } = options;
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw new ArgumentError("signal", "an AbortSignal", signal);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new ArgumentError("onProgress", "a function", onProgress);
  }
  checkBackend(options);
  return { objective, budgetMs, seed, backend };
}

/** The placements in force, or none, and how many slots may move. */
function checkInForce(limit: OptimizeOptions["unchangedWeights"], layers: number, machine: Machine) {
  if (limit === undefined) return { placements: undefined, movable: Infinity };
  requireObject("unchangedWeights", limit, { placements: true, slots: true });
  const { placements, slots } = limit;
  if (typeof slots !== "number" || !Number.isInteger(slots) || slots < 0) {
    throw new ArgumentError("unchangedWeights.slots", "an integer >= 0", slots);
  }
  const name = "unchangedWeights.placements";
  if (!Array.isArray(placements)) throw new ArgumentError(name, "an array with a Placement per layer", placements);
  if (placements.length !== layers) throw new ShapeError(name, `${layers}, one per layer`, placements.length);
  const inForce: Placement[] = [];
  for (const [layer, given] of (placements as readonly PlacementLike[]).entries()) {
    const one = `${name}[${layer}]`;
    const placement = Placement.of(one, given);
    inForce.push(placement);
    const { gpus, logicalExperts, physicalExperts, slotsPerGpu } = placement;
    if (gpus !== machine.gpus) throw new ShapeError(`${one}.gpus`, `gpus = ${machine.gpus}`, gpus);
    if (logicalExperts !== machine.experts) {
      throw new ShapeError(`${one}.logicalExperts`, `E = ${machine.experts} as in the history`, logicalExperts);
    }
    if (physicalExperts !== machine.used) {
      throw new ShapeError(`${one}.physicalExperts`, `E + redundant = ${machine.used}`, physicalExperts);
    }
    const full = slotsPerGpu.findIndex((count, g) => count > machine.capacity[g]);
    if (full >= 0) {
      throw new ShapeError(`${one}.slotsPerGpu[${full}]`, `at most ${machine.capacity[full]}`, slotsPerGpu[full]);
    }
    const empty = placement.physicalToLogical.indexOf(EMPTY);
    if (empty >= 0 && !isPlain(machine)) {
      const expected = "an expert in every slot, with nodes, speed or slotsPerGpu";
      throw new PlacementError(`${one}.physicalToLogical[${empty}]`, expected, EMPTY);
    }
    const lost = placement.replicaCount.indexOf(0);
    if (lost >= 0) throw new PlacementError(`${one}.physicalToLogical`, `a slot for expert ${lost}`, "none");
    requireWithinNodes(one, rowsOf(placement), machine);
  }
  return { placements: inForce, movable: slots };
}

/** One node, equal speeds, and equally many slots on every GPU, which all are in use. */
function isPlain({ nodes, speed, capacity, used }: Machine): boolean {
  const total = capacity.reduce((a, b) => a + b);
  return nodes === 1 && total === used && [speed, capacity].every((all) => all.every((one) => one === all[0]));
}

function requireWithinNodes(name: string, rows: readonly (readonly number[])[], machine: Machine): void {
  const home = new Map<number, number>();
  for (const [g, row] of rows.entries()) {
    for (const e of row) {
      const node = nodeOf(machine, g);
      if ((home.get(e) ?? node) !== node) {
        throw new PlacementError(name, `all replicas of expert ${e} on one of the ${machine.nodes} nodes`, "several");
      }
      home.set(e, node);
    }
  }
}
