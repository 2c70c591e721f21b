import type { Slots } from "../../placement/living_slots.ts";
import { rowOf } from "../../placement/per_layer.ts";
import { dealtFrom } from "../sources.ts";

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

/**
 * The same BY_SOURCE, for one layer: ids [T, k] so that each source fills its row of sourceQuota [S, P], in order of position.
 *
 * @param rank  whose ids they are; undefined: all sources', in order.
 * @returns how many are of lost experts.
 */
export function remapBySource(
  slots: Slots,
  topK: number,
  ids: Int32Array | Uint32Array,
  sourceQuota: Int32Array,
  rank: number | undefined,
  physical: Int32Array,
): number {
  const none = new Int32Array(slots.logicalExperts); // a source's tokens are counted by themselves
  const sources = sourceQuota.length / slots.physicalExperts;
  const own = (s: number) => rowOf(sourceQuota, slots.physicalExperts, s);
  if (rank !== undefined) return remap(slots, ids, own(rank), none, physical);
  let unserved = 0;
  for (let s = 0; s < sources; s++) {
    const [first, end] = [s, s + 1].map((i) => dealtFrom(i, ids.length / topK, sources) * topK);
    unserved += remap(slots, ids.subarray(first, end), own(s), none, physical.subarray(first, end));
  }
  return unserved;
}
