import type { Objective } from "../../planner/objective.ts";
import type { PlanReport } from "./plan_report.ts";
import type { Imbalance } from "./split_imbalance.ts";

/** What so many redundant experts come to, over the measured batches of all layers: imbalances or, with a cost, times. */
export interface CurvePoint {
  /** Replicas besides one of each expert. */
  redundant: number;
  /** EPLB's placement, split by the LP. */
  eplb: Imbalance;
  /** The placement that the search found, split by the LP. */
  plan: Imbalance;
  /** What the objective is at best, whatever the placement of so many replicas. */
  bound: number;
}

export function curvePoint({ redundant, eplb, optimized, bound, time, objective }: PlanReport): CurvePoint {
  if (time) return { redundant, eplb: time.eplb.all, plan: time.plan.all, bound: time.bound.all[objective] };
  return { redundant, eplb: eplb.all.solved, plan: optimized.all.solved, bound: bound.all[objective] };
}

/** The share that more replicas take off a plan. */
export function worthOf({ plan: few }: CurvePoint, { plan: more }: CurvePoint, objective: Objective): number {
  return few[objective] > 0 ? 1 - more[objective] / few[objective] : 0;
}
