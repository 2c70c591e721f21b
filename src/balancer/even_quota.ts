import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import { apportion } from "./twins/apportion.ts";

/** [L, P] the tokens of each expert, `counts` [L, E], in equal parts, to within one, on its slots. */
export function evenQuota(placements: readonly Slots[], layers: number, counts: Int32Array): Int32Array<ArrayBuffer> {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const quota = new Int32Array(layers * slots);
  for (let l = 0; l < layers; l++) {
    apportion(ofLayer(placements, l), rowOf(counts, experts, l), undefined, rowOf(quota, slots, l));
  }
  return quota;
}
