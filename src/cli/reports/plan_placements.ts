import { ArgumentError, ShapeError } from "../../common/errors.ts";
import type { Placement } from "../../placement/placement.ts";
import { EMPTY } from "../../planner/arrangement.ts";
import { checkHistory } from "../../planner/history.ts";
import { type Move, movesBetween } from "../../planner/moves.ts";
import type { Objective } from "../../planner/objective.ts";
import { type OptimizeOptions, optimizePlacement } from "../../planner/optimize.ts";
import type { OptimizedPlacements } from "../../planner/optimized.ts";
import { type Fleet, improveRepair, placementOfSlots, startRepair } from "../../planner/repair_layers.ts";
import type { LoadHistory } from "../files/load_file.ts";

export type PlanOptions = Pick<OptimizeOptions, "sharedTopology" | "replicas" | "threads" | "cost"> &
  Required<Pick<OptimizeOptions, "seed" | "budgetMs">> & {
    gpus: number;
    redundant: number;
    nodes: number;
    objective: Objective;
    /** Layers with experts: what the others hold is of no account. */
    moeLayers: readonly number[];
    /** GPUs that died. */
    dead: readonly number[];
    /** On `gpus`, or on fewer: then the others are new. */
    inForce?: Placement[];
    /** The most slots of a layer that may hold another expert than in force. */
    maxMoved?: number;
    /** Whether to find out how much of the history is enough. */
    withHistory?: boolean;
    /** Called before the search with placements whose slots are empty or not as those of the outcome: throws if they cannot be written. */
    tryOut?: (placements: Placement[]) => void;
  };

export interface Chosen {
  /** Of all GPUs and slots, as they are numbered. */
  placements: Placement[];
  /** What the search began with: in force, or repaired. */
  before: Placement[] | undefined;
  /** [L] experts without a living copy in force. */
  lost: number[][];
  /** None without a placement in force. */
  moves: Move[] | undefined;
  search: Omit<OptimizedPlacements, "placements">;
}

type Watch = Required<Pick<OptimizeOptions, "onProgress" | "signal">>;

/** Placements for the layers of a history: the best found, or the best that the placements in force can become. */
export function choosePlacements(history: LoadHistory, options: PlanOptions, watch: Watch): Promise<Chosen> {
  const { inForce, dead, gpus } = options;
  const asItIs = (placed: Placement) => placed.gpus === gpus && !placed.physicalToLogical.includes(EMPTY);
  if (!inForce || (dead.length === 0 && inForce.every(asItIs))) return optimized(history, options, watch);
  return repaired(history, inForce, options, watch);
}

async function optimized(history: LoadHistory, options: PlanOptions, watch: Watch): Promise<Chosen> {
  const { gpus, redundant, nodes, replicas, objective, inForce, maxMoved, sharedTopology, seed, budgetMs } = options;
  const { threads, cost } = options;
  const { placements, ...search } = await optimizePlacement(history, {
    ...{ gpus, redundant, nodes, replicas, objective, sharedTopology, seed, budgetMs, threads, cost, ...watch },
    ...(inForce ? { unchangedWeights: { placements: inForce, slots: maxMoved ?? history.experts + redundant } } : {}),
  });
  const living = new Uint8Array(gpus).fill(1);
  const moves = inForce?.flatMap(({ gpuOf, physicalToLogical }, layer) =>
    movesBetween(layer, { gpuOf, experts: physicalToLogical, living }, placements[layer].physicalToLogical),
  );
  return { placements, before: inForce, lost: placements.map(() => []), moves, search };
}

async function repaired(
  history: LoadHistory,
  inForce: Placement[],
  options: PlanOptions,
  watch: Watch,
): Promise<Chosen> {
  const { gpus, redundant, nodes, objective, dead, maxMoved, moeLayers, seed, budgetMs, tryOut } = options;
  const { threads = 1, cost } = options;
  const fleet: Fleet = { gpus, dead, maxMoved };
  const [{ gpus: placed, physicalExperts }] = inForce;
  const slots = (physicalExperts / placed) * gpus;
  if (redundant !== slots - history.experts) {
    const expected = `${slots - history.experts}, as the ${slots} slots of the placement on ${gpus} GPUs have`;
    throw new ShapeError("redundant", expected, redundant);
  }
  if (options.replicas !== undefined) {
    const what = "none with dead or new GPUs, or empty slots";
    throw new ArgumentError("--replicas", what, options.replicas, "A repair takes a slot wherever there is one.");
  }
  if (nodes > 1) {
    const what = "1 with dead or new GPUs, or empty slots";
    throw new ArgumentError("--nodes", what, nodes, "A repair takes a slot wherever there is one.");
  }
  const checked = checkHistory(history, cost !== undefined);
  const starts = startRepair(inForce, checked, fleet);
  const lost = starts.map((start, layer) => (moeLayers.includes(layer) ? start.lost : []));
  for (const [layer, { length }] of maxMoved === undefined ? [] : lost.entries()) {
    if (length <= maxMoved!) continue;
    const expected = `at least ${length}, one for each expert without a living copy in layer ${layer}`;
    throw new ArgumentError("--max-moved", expected, maxMoved);
  }
  tryOut?.(starts.map(({ before, start }) => placementOfSlots(before, start)));
  const {
    placements: improved,
    moves,
    repaired,
    ...search
  } = await improveRepair(starts, checked, {
    ...{ objective, seed, budgetMs, threads, cost, ...watch },
  });
  // A layer without experts is left as it is, so that what is written is what is printed; where GPUs are new, it must get as many slots.
  const placements = improved.map((placement, layer) =>
    moeLayers.includes(layer) || placed < gpus ? placement : inForce[layer],
  );
  return {
    ...{ placements, before: repaired, lost },
    moves: moves.filter(({ layer }) => moeLayers.includes(layer)),
    search: {
      ...search,
      layers: search.layers.map((of, layer) => (moeLayers.includes(layer) ? of : { ...of, moved: 0 })),
    },
  };
}
