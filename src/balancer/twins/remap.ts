import type { Slots } from "../../placement/living_slots.ts";

/**
 * Twin of shaders/balancer/remap.wgsl for one layer: `ids` [N] to slots, so that slot p receives quota[p] of them in order of position; `before` [E]
 * tokens of each expert come first, on other ranks. Ids that are -1 or out of range become -1, and so do those of lost experts.
 *
 * @returns how many are of lost experts.
 */
export function remap(
  { logicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Slots,
  ids: Int32Array | Uint32Array,
  quota: ArrayLike<number>,
  before: ArrayLike<number>,
  physical: Int32Array,
): number {
  let unserved = 0;
  const next = Array.from({ length: logicalExperts }, (_, e) => before[e]);
  for (let i = 0; i < ids.length; i++) {
    const e = ids[i] | 0;
    physical[i] = -1;
    if (e < 0 || e >= logicalExperts) continue;
    if (replicaCount[e] === 0) unserved++;
    let left = next[e]++;
    for (let k = 0; k < replicaCount[e]; k++) {
      const slot = logicalToPhysical[e * maxReplicas + k];
      if (left < quota[slot]) {
        physical[i] = slot;
        break;
      }
      left -= quota[slot];
    }
  }
  return unserved;
}
