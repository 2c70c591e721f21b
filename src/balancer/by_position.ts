import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import { remap } from "./twins/remap.ts";

/**
 * Physical ids [L, T, k] of ids whose experts' tokens fill their slots in order of position, wherever they are.
 *
 * @param quota  [L, P]  @param before  [L, E] tokens that come first, on other ranks; none by default.
 */
export function byPosition(
  slots: readonly Slots[],
  layers: number,
  ids: Int32Array | Uint32Array,
  quota: Int32Array,
  before?: Int32Array,
): Int32Array {
  const { logicalExperts: experts, physicalExperts } = slots[0];
  const assignments = ids.length / layers;
  const physicalIds = new Int32Array(ids.length);
  const none = new Int32Array(experts);
  for (let l = 0; l < layers; l++) {
    const own = ids.subarray(l * assignments, (l + 1) * assignments);
    const first = before ? rowOf(before, experts, l) : none;
    remap(ofLayer(slots, l), own, rowOf(quota, physicalExperts, l), first, rowOf(physicalIds, assignments, l));
  }
  return physicalIds;
}
