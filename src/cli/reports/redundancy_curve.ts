import type { Imbalance } from "./split_imbalance.ts";

/** What so many redundant experts come to, over the measured batches of all layers. */
export interface CurvePoint {
  /** Replicas besides one of each expert. */
  redundant: number;
  /** EPLB's placement, split by the LP. */
  eplb: Imbalance;
  /** The placement that the search found, split by the LP. */
  plan: Imbalance;
  /** What the mean is at best, whatever the placement of so many replicas. */
  bound: number;
}
