/** What no placement can do better, and what history is worth: by which an operator decides about replicas and recordings. */
import { leastImbalances } from "../../planner/bound.ts";
import { checkHistory, layerHistory } from "../../planner/history.ts";
import { type Fitted, historyNeeded } from "../../planner/history_needed.ts";
import { checkMachine } from "../../planner/machine.ts";
import { requireSlotForEach } from "../../planner/repair.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { pause } from "../interruption.ts";
import type { PlanOptions } from "./plan_placements.ts";
import { type Imbalance, summarise } from "./split_imbalance.ts";

export interface PlanBounds {
  /** No placement of so many slots could have less on the measured steps, whatever the split. */
  bound: { layers: Imbalance[]; all: Imbalance };
  /** The same with a slot more on each GPU; none where every expert is everywhere. */
  boundOfMore?: { redundant: number; all: Imbalance };
}

/** GPUs that are alive, and what they may hold.  @throws {ShapeError | ArgumentError} The counts do not fit each other. */
export function roomOf(experts: number, { gpus, redundant, nodes, replicas, dead }: PlanOptions) {
  const living = gpus - dead.length;
  const slots = ((experts + redundant) / gpus) * living;
  requireSlotForEach(experts, slots);
  const used = Math.min(slots, experts * living); // of a placement in force more may be there
  return checkMachine(experts, { gpus: living, redundant: used - experts, nodes, replicas });
}

/** @param later  The measured steps. */
export async function planBounds(later: LoadHistory, options: PlanOptions, signal: AbortSignal): Promise<PlanBounds> {
  const room = roomOf(later.experts, options);
  const checked = checkHistory(later);
  const more = room.used + room.gpus;
  const [values, valuesOfMore]: number[][][] = [[], []];
  for (let layer = 0; layer < later.layers; layer++) {
    await pause(signal);
    const own = layerHistory(checked, layer);
    values.push([...leastImbalances(room, own)]);
    if (more <= later.experts * room.gpus) valuesOfMore.push([...leastImbalances({ ...room, used: more }, own)]);
  }
  const bound = { layers: values.map(summarise), all: summarise(values.flat()) };
  if (valuesOfMore.length === 0) return { bound };
  const boundOfMore = { redundant: options.redundant + options.gpus, all: summarise(valuesOfMore.flat()) };
  return { bound, boundOfMore };
}

/** What ever more of the fitted steps are worth to a search that is free; nothing where there is no time to tell. */
export function historyWorth(
  fitted: LoadHistory,
  later: LoadHistory,
  options: PlanOptions,
  budgetMs: number,
  signal: AbortSignal,
): Promise<Fitted[]> {
  const { objective, seed, threads = 1 } = options;
  const machine = roomOf(fitted.experts, options);
  const jobs = Array.from({ length: fitted.layers }, (_, layer) => {
    return { layer, machine, inForce: undefined, movable: Infinity };
  });
  return historyNeeded(checkHistory(fitted), checkHistory(later), jobs, { objective, seed, threads, budgetMs, signal });
}
