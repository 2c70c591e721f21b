import { threadsAreSupported } from "#threads";
import { requireCalls } from "../common/calls.ts";
import { ArgumentError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { checkBackend, type SolverOptions } from "../lp/solver_options.ts";
import { type Costed, checkCost } from "../lp/time/expert_cost.ts";
import { requireCount } from "../placement/placement.ts";
import type { RedundantToOriginal } from "../placement/topologies.ts";
import { EMPTY, inOrderOf, placementOf, rowsOf, slotsMoved } from "./arrangement.ts";
import { inGraphOrder } from "./graph_order.ts";
import { checkHistory, type LoadHistory } from "./history.ts";
import { checkInForce, type UnchangedWeights } from "./in_force.ts";
import type { LayerOutcome } from "./layer.ts";
import type { LayerJob } from "./layer_tasks.ts";
import { optimizeJobs } from "./layers.ts";
import { checkMachine, type MachineOptions } from "./machine.ts";
import { type Objective, objectives } from "./objective.ts";
import type { OptimizedLayer, OptimizedPlacements } from "./optimized.ts";
import { improveRepair, startRepair } from "./repair_layers.ts";
import { checkGraph } from "./shared_graph.ts";

export interface OptimizeOptions extends MachineOptions, Costed, Pick<SolverOptions, "backend" | "device" | "adapter"> {
  /**
   * What to minimise of the LP-optimal imbalances of the batches: their mean (default), 95th percentile, or the mean of the worst twentieth. With a
   * cost it is the time of the batch over that of its work divided among all GPUs, by the time solver's split.
   */
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
  unchangedWeights?: UnchangedWeights;
  /**
   * Worker threads, 1 by default: a layer is one's work, and the answer is the same with any number as long as `stoppedBy` is "search". In Node alone, and for
   * the CPU. Where dist/worker.js is not beside the code, as in a bundle of your own without it, one thread does it all, and `crew` says why.
   */
  threads?: number;
}

const optimizeFields = {
  ...{ gpus: true, redundant: true, nodes: true, replicas: true, slotsPerGpu: true, speed: true, cost: true },
  ...{ backend: true, device: true, adapter: true, objective: true, budgetMs: true, seed: true, signal: true },
  ...{ onProgress: true, sharedTopology: true, unchangedWeights: true, threads: true },
} satisfies FieldsOf<OptimizeOptions>;

const DEFAULT_BUDGET_MS = 60_000;

/**
 * Looks for the placement of each layer's experts under which the LP balances best.
 *
 *   min over placements of  objective over batches of  t*(batch) / (total load / total speed)
 *
 * Every layer first gets the best of EPLB's placement (`rebalanceExperts` of the mean loads) and of some 200 hub-and-spoke placements in closed form
 * (src/planner/hubs.ts), on scenarios that look ahead: batches as recorded, each expert astray by as much as popularities went (src/planner/outlook.ts).
 * Then, where most is left to gain first, moves are raced (a slot to another expert, two slots swapped, two experts trading places, where prices point
 * and at random): each is made only if it is better on many scenarios by more than chance, and valued by exact optima that are kept up to date
 * (src/planner/flows.ts). With up to 8 GPUs annealing over all cuts (src/planner/cut_pool.ts) is tried, too. Which of these ways a layer takes is
 * decided on a last quarter held out; a layer where none is better there than what it began with keeps that. So no layer is worse on the
 * recorded batches than EPLB's placement with the LP.
 *
 * An expert never sits twice on a GPU. A placement is as large as asked: E + redundant slots are in use.
 *
 * For a seed the answer is the same on every machine and with any number of threads, as far as `stoppedBy` is "search" and the CPU solved; adapters may
 * name another one of several bottleneck sets. With little time it is still never worse than EPLB's: layers that had none keep their drafts.
 * Not handled: loads besides the experts' (baseLoad); what moving weights costs, other than by a limit.
 *
 * @param history  Read, never written or kept.
 * @throws {ArgumentError | ShapeError | LoadError | PlacementError} The history, a count or an option is not as it should be.
 * @throws {DeviceError | KernelError} backend is "webgpu" and there is no device, or its compiler refuses a kernel.  @throws the signal's reason, promptly.
 * @see O. Maron, A. W. Moore, NIPS 1993; S. Kirkpatrick et al., Science 220, 1983; DeepSeek EPLB, 2025.
 */
export async function optimizePlacement(history: LoadHistory, options: OptimizeOptions): Promise<OptimizedPlacements> {
  requireObject("options", options, optimizeFields);
  const { cost, sharedTopology } = options;
  if (cost !== undefined) checkCost(cost);
  const checked = checkHistory(history, cost !== undefined);
  const machine = checkMachine(history.experts, options);
  const search = { ...options, ...checkOptions(options) };
  const { placements: inForce, movable } = checkInForce(options.unchangedWeights, checked.layers, machine);
  const graph = checkGraph(sharedTopology, machine);
  if (inForce && graph) {
    throw new ArgumentError("unchangedWeights", "undefined with sharedTopology", inForce, "It moves what it must.");
  }
  if (cost !== undefined && graph) throw new ArgumentError("cost", "undefined with sharedTopology", cost);
  if (inForce?.some(({ physicalToLogical }) => physicalToLogical.includes(EMPTY))) {
    const starts = startRepair(inForce, checked, { gpus: machine.gpus, dead: [], maxMoved: movable });
    const { moves: _, repaired: __, ...optimized } = await improveRepair(starts, checked, search);
    return optimized;
  }
  const jobs = Array.from({ length: checked.layers }, (_, layer): LayerJob => {
    const base = inForce && rowsOf(inForce[layer]);
    return { layer, machine, inForce: base && { held: base, base }, movable };
  });
  const { outcomes, shared, ...done } = await optimizeJobs(checked, jobs, search, graph);
  const layers = outcomes.map(({ rows, base, recorded, bound, validation, kept, evaluations }): OptimizedLayer => {
    return { recorded, bound, validation, kept, moved: slotsMoved(base, rows), evaluations };
  });
  const ordered = Array.isArray(sharedTopology)
    ? ({ rows }: LayerOutcome) => inGraphOrder(placementOf(rows), sharedTopology)
    : ({ base, rows }: LayerOutcome) => placementOf(inOrderOf(base, rows));
  return { placements: outcomes.map(ordered), layers, ...done, sharedTopology: shared };
}

function checkOptions({ objective = "mean", budgetMs = DEFAULT_BUDGET_MS, seed = 1, ...options }: OptimizeOptions) {
  if (!objectives.includes(objective)) throw new ArgumentError("objective", `"mean", "p95" or "cvar"`, objective);
  if (typeof budgetMs !== "number" || !(budgetMs >= 0)) throw new ArgumentError("budgetMs", "a number >= 0", budgetMs);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  const { backend = "auto" } = options;
  requireCalls(options);
  checkBackend(options);
  const threads = requireCount("threads", options.threads ?? 1);
  if (threads > 1 && !threadsAreSupported) throw new ArgumentError("threads", "1 outside Node", threads);
  if (threads > 1 && (backend === "webgpu" || options.device || options.adapter !== undefined)) {
    throw new ArgumentError(
      "threads",
      '1 with a device, an adapter or backend "webgpu"',
      threads,
      "Threads solve on the CPU.",
    );
  }
  return { objective, budgetMs, seed, threads };
}
