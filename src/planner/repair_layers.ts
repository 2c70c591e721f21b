/**
 * Placements in force some of whose GPUs died, or that get more GPUs: first what must be, then what is better. A slot keeps its number, and what is
 * on a dead GPU is left as it is: the system counts on the one, and a GPU that comes back finds its weights where they were.
 */

import { Placement } from "../placement/placement.ts";
import { EMPTY, type Machine, type Rows } from "./arrangement.ts";
import type { LayerSlots } from "./even_loads.ts";
import { type CheckedHistory, layerHistory } from "./history.ts";
import type { LayerJob } from "./layer_tasks.ts";
import { optimizeJobs, type SearchOptions } from "./layers.ts";
import { type Move, movesBetween } from "./moves.ts";
import type { OptimizedPlacements } from "./optimized.ts";
import { emptySlots, fillSlots, lostExperts, repairSlots } from "./repair.ts";

/** The GPUs that there are now. */
export interface Fleet {
  /** G, at least as many as in the placements: those beyond are new, with as many slots as the others, all of them empty. */
  gpus: number;
  /** GPUs that hold nothing which can be served or read. */
  dead: readonly number[];
  /** The most slots of a layer that may get another expert. Without it: what must be, to serve every expert and to use new GPUs. */
  maxMoved?: number;
}

/** A layer before the search. */
export interface RepairStart {
  /** As in force, on all GPUs. */
  before: LayerSlots;
  /** Experts that no living GPU held. */
  lost: number[];
  /** [P] every expert lives, with one slot moved for each lost one; */
  repaired: Int32Array;
  /** [P] and slots that would serve nothing are replicas, as far as they may move. */
  start: Int32Array;
  /** Slots that may differ from `before`. */
  movable: number;
}

/**
 * Every expert lives again, with the least number of slots moved: one for each expert without a living copy; then empty slots of living GPUs are filled.
 *
 * @param placements  in force, one per layer, with equally many slots on each GPU.
 * @param history  whose mean loads choose among the slots.
 * @throws {PlacementError} The living GPUs have fewer slots than there are experts.
 */
export function startRepair(placements: readonly Placement[], history: CheckedHistory, fleet: Fleet): RepairStart[] {
  return placements.map((placement, layer) => {
    const { mean } = layerHistory(history, layer);
    const before = slotsOn(placement, fleet);
    const lost = lostExperts(before, history.experts);
    const repaired = repairSlots(before, mean);
    const left = { ...before, experts: repaired };
    const needed = lost.length + (fleet.gpus > placement.gpus ? emptySlots(left).length : 0);
    const unlimited = fleet.dead.length === 0 && fleet.gpus === placement.gpus;
    const movable = fleet.maxMoved ?? (unlimited ? repaired.length : needed);
    return { before, lost, repaired, start: fillSlots(left, mean, movable - lost.length), movable };
  });
}

/** The slots of a placement on as many GPUs as there are now. */
function slotsOn({ gpus: placed, physicalToLogical }: Placement, { gpus, dead }: Fleet): LayerSlots {
  const perGpu = physicalToLogical.length / placed;
  const slots = gpus * perGpu;
  const experts = new Int32Array(slots).fill(EMPTY);
  experts.set(physicalToLogical);
  const gpuOf = Int32Array.from({ length: slots }, (_, p) => Math.floor(p / perGpu));
  const living = new Uint8Array(gpus).fill(1);
  for (const g of dead) living[g] = 0;
  return { gpuOf, experts, living };
}

/** All slots of all GPUs. */
export function placementOfSlots({ living }: LayerSlots, experts: Int32Array): Placement {
  return Placement.fromPhysicalToLogical(experts, { gpus: living.length });
}

/** The experts on each living GPU, numbered from 0. */
function rowsOfLiving({ gpuOf, living }: LayerSlots, experts: ArrayLike<number>): number[][] {
  const rows: number[][] = Array.from(living, () => []);
  for (let p = 0; p < experts.length; p++) if (experts[p] !== EMPTY) rows[gpuOf[p]].push(experts[p]);
  return rows.filter((_, g) => living[g]);
}

export type RepairedPlacements = OptimizedPlacements & {
  /** Of all layers. */
  moves: Move[];
  /** With every expert alive, and nothing better yet. */
  repaired: Placement[];
};

/** Improves each layer from its start by `optimizePlacement`'s search among the living GPUs, within the slots that may move still. */
export async function improveRepair(
  starts: readonly RepairStart[],
  history: CheckedHistory,
  options: SearchOptions,
): Promise<RepairedPlacements> {
  const jobs = starts.map((start, layer): LayerJob => {
    const { before, repaired, movable } = start;
    const inForce = {
      held: rowsOfLiving(before, before.experts),
      base: rowsOfLiving(before, repaired),
      start: withoutRepetition(rowsOfLiving(before, start.start)),
    };
    const spent = movesBetween(layer, before, start.start).length >= movable;
    return { layer, machine: machineOf(start, history.experts), inForce, movable, spent };
  });
  const { outcomes, shared: _, ...done } = await optimizeJobs(history, jobs, options);
  const after = outcomes.map(({ rows }, layer) => inSlots(starts[layer], rows));
  const moves = starts.map(({ before }, layer) => movesBetween(layer, before, after[layer]));
  return {
    placements: starts.map(({ before }, layer) => placementOfSlots(before, after[layer])),
    layers: outcomes.map(({ recorded, bound, validation, kept, evaluations }, layer) => {
      return { recorded, bound, validation, kept, moved: moves[layer].length, evaluations };
    }),
    ...done,
    sharedTopology: undefined,
    moves: moves.flat(),
    repaired: starts.map(({ before, repaired }) => placementOfSlots(before, repaired)),
  };
}

/** The living GPUs. */
function machineOf({ before, start }: RepairStart, experts: number): Machine {
  const { gpuOf, living } = before;
  const slots = new Int32Array(living.length);
  for (let p = 0; p < gpuOf.length; p++) slots[gpuOf[p]]++;
  const capacity = slots.filter((_, g) => living[g]).map((count) => Math.min(count, experts));
  const used = withoutRepetition(rowsOfLiving(before, start)).reduce((sum, row) => sum + row.length, 0);
  const gpus = capacity.length;
  return { gpus, experts, used, nodes: 1, replicas: "anywhere", capacity, speed: new Float64Array(gpus).fill(1) };
}

function withoutRepetition(rows: Rows): number[][] {
  return rows.map((row) => [...new Set(row)]);
}

/**
 * Puts the experts that each living GPU should hold into its slots, those that it held before staying where they were. Where it should hold fewer
 * than it has slots, the others keep what they had: a replica more does no harm, and nothing has moved.
 */
function inSlots({ before, start }: RepairStart, rows: Rows): Int32Array {
  const { gpuOf, experts, living } = before;
  const after = Int32Array.from(experts);
  const ids = Array.from(living, (_, g) => g).filter((g) => living[g]);
  for (const [i, row] of rows.entries()) {
    const slots = Array.from(gpuOf, (_, p) => p).filter((p) => gpuOf[p] === ids[i]);
    const stays = (p: number) => row.includes(experts[p]) && slots.find((q) => experts[q] === experts[p]) === p;
    const free = slots.filter((p) => !stays(p));
    const coming = row.filter((e) => !slots.some((p) => experts[p] === e));
    // First where the start has them, so that a layer which was not improved has the start's very slots.
    for (const p of free) if (coming.includes(start[p])) after[p] = start[p];
    const placed = new Set(free.map((p) => after[p]));
    const rest = coming.filter((e) => !placed.has(e));
    const idle = (p: number) => experts[p] === EMPTY || row.includes(experts[p]);
    const open = free
      .filter((p) => !coming.includes(after[p]))
      .sort((a, b) => Number(idle(b)) - Number(idle(a)) || a - b);
    for (const [j, e] of rest.entries()) after[open[j]] = e;
  }
  return after;
}
