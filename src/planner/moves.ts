import type { LayerSlots } from "./even_loads.ts";

/** A slot that gets another expert's weights. */
export interface Move {
  layer: number;
  slot: number;
  gpu: number;
  expert: number;
  /**
   * A living GPU that holds the expert's weights before the moves, by preference one that keeps them; null where none does, and they must be
   * loaded anew.
   */
  source: number | null;
}

/**
 * What must be loaded to bring the slots of a layer from one state to another, in the order of the slots. All weights are read as they are before
 * the moves: a source may itself get another expert.
 *
 * @param after  [P] the expert in each slot.
 */
export function movesBetween(layer: number, before: LayerSlots, after: ArrayLike<number>): Move[] {
  const { gpuOf, experts, living } = before;
  const sent = new Map<number, number>();
  const moves: Move[] = [];
  for (let slot = 0; slot < after.length; slot++) {
    const expert = after[slot];
    if (expert === experts[slot]) continue;
    const holders = Array.from(gpuOf, (_, p) => p).filter((p) => experts[p] === expert && living[gpuOf[p]]);
    const keepers = holders.filter((p) => after[p] === expert);
    // Of several, the one that sends least: the links between GPUs are what moving waits for.
    const [from] = (keepers.length > 0 ? keepers : holders)
      .map((p) => gpuOf[p])
      .sort((a, b) => (sent.get(a) ?? 0) - (sent.get(b) ?? 0) || a - b);
    if (from !== undefined) sent.set(from, (sent.get(from) ?? 0) + 1);
    moves.push({ layer, slot, gpu: gpuOf[slot], expert, source: from ?? null });
  }
  return moves;
}
