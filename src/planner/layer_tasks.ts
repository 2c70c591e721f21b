/** What is done for a layer, as a task that a worker thread can do: plain data in and out. */
import { checkCost, type ExpertCost } from "../lp/time/expert_cost.ts";
import type { Machine, Rows } from "./arrangement.ts";
import type { Finder } from "./finder.ts";
import { type CheckedHistory, layerHistory, slice } from "./history.ts";
import { type Draft, draftLayer, type InForce, type LayerOutcome, optimizeLayer } from "./layer.ts";
import type { Objective } from "./objective.ts";
import { optimaOnCpu } from "./optima.ts";
import { Pacer } from "./pacer.ts";
import type { SearchContext } from "./search.ts";

/** The same for all layers. */
export interface Setting {
  history: CheckedHistory;
  cost: ExpertCost | undefined;
  objective: Objective;
  seed: number;
}

/** What one layer has of its own. */
export interface LayerJob {
  layer: number;
  machine: Machine;
  inForce: InForce | undefined;
  /** Slots that may hold another expert than in force. */
  movable: number;
  /** Whether so many do where the search begins. */
  spent?: boolean;
}

export interface Task extends LayerJob {
  setting: Setting;
  budgetMs: number;
}

/** What a thread's caller has and the thread has not. */
export interface Caller {
  finder?: Finder;
  signal?: AbortSignal;
}

/** `ranOut`: time cut it short. */
export type Done<T> = T & { ranOut: boolean };

export const layerTasks = {
  /** What the portfolio alone makes of the last batches, for each number of them. */
  async sketch(task: Task & { lengths: readonly number[] }, caller: Caller = {}): Promise<Done<{ sketches: Rows[] }>> {
    const { history, context } = contextOf(task, caller);
    const sketches: Rows[] = [];
    for (const length of task.lengths) {
      const last = slice(history, Math.max(0, history.steps - length), history.steps);
      sketches.push((await draftLayer(last, undefined, context, false)).chosen);
    }
    return { sketches, ranOut: context.pacer.ranOut };
  },

  async draft(task: Task, caller: Caller = {}): Promise<Done<{ draft: Draft }>> {
    const { history, context } = contextOf(task, caller);
    const draft = await draftLayer(history, task.inForce, context);
    return { draft, ranOut: context.pacer.ranOut };
  },

  async optimize(task: Task & { draft: Draft }, caller: Caller = {}): Promise<Done<{ outcome: LayerOutcome }>> {
    const { history, context } = contextOf(task, caller);
    const outcome = await optimizeLayer(history, task.inForce, context, task.draft);
    return { outcome, ranOut: context.pacer.ranOut };
  },
};

export type LayerTasks = typeof layerTasks;

function contextOf(
  { setting, layer, machine, movable, spent, budgetMs }: Task,
  { finder = optimaOnCpu, signal }: Caller,
) {
  const { cost, objective, seed } = setting;
  const pacer = new Pacer(budgetMs, signal);
  const context: SearchContext = { machine, objective, find: finder(pacer), pacer, seed, kind: "any", movable, spent };
  return { history: layerHistory(setting.history, layer, cost && checkCost(cost)), context };
}
