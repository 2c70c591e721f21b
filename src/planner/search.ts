import type { Machine, Rows } from "./arrangement.ts";
import type { LayerHistory } from "./history.ts";
import { type Objective, ofValues } from "./objective.ts";
import type { FindOptima } from "./optima.ts";
import type { Pacer } from "./pacer.ts";
import type { MoveKind } from "./propose.ts";
import { times } from "./times.ts";

/** What a search needs besides a history and a place to begin. */
export interface SearchContext {
  machine: Machine;
  objective: Objective;
  find: FindOptima;
  pacer: Pacer;
  seed: number;
  kind: MoveKind;
  /** [G, E] what each GPU holds in the placement in force, and how many slots may hold another expert; none where all may. */
  before?: Uint8Array;
  movable: number;
  /** Whether that many do already: what has moved can only move on. */
  spent?: boolean;
}

export interface Found {
  rows: Rows;
  /** Moves tried. */
  evaluations: number;
}

/** [K] the objective of K placements on batches of shares [n, E]. */
export async function worths(
  context: SearchContext,
  placements: readonly Rows[],
  shares: Float64Array,
): Promise<number[]> {
  const found = await context.find(context.machine, placements, shares);
  return found.map((values) => ofValues(context.objective, values));
}

/** [K] the same on recorded batches: in time, where tokens have a cost. */
export async function worthsOn(
  context: SearchContext,
  placements: readonly Rows[],
  batches: LayerHistory,
): Promise<number[]> {
  if (!batches.costed) return worths(context, placements, batches.share);
  const found = await times(context, placements, batches, batches.costed);
  return found.map((values) => ofValues(context.objective, values));
}
