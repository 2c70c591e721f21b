import type { Slots } from "../../placement/living_slots.ts";
import { dealtFrom } from "../sources.ts";

/**
 * Twin of shaders/balancer/remap.wgsl for one layer: `ids` [N] to slots, so that slot p receives quota[p] of them in order of position; `before` [E]
 * tokens of each expert come first, on other ranks. Ids that are -1 or out of range become -1, and so do those of lost experts.
 *
 * @returns how many are of lost experts.
 */
export function remap(
  slots: Slots,
  ids: Int32Array | Uint32Array,
  quota: ArrayLike<number>,
  before: ArrayLike<number>,
  physical: Int32Array,
): number {
  const next = new Int32Array(slots.logicalExperts);
  for (let e = 0; e < next.length; e++) next[e] = before[e];
  return handOut(slots, ids, 0, ids.length, quota, 0, next, physical);
}

/** Ids first to end - 1 to slots, whose quotas begin at `row`; `next` counts the tokens of each expert so far. */
function handOut(
  { logicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Slots,
  ids: Int32Array | Uint32Array,
  first: number,
  end: number,
  quota: ArrayLike<number>,
  row: number,
  next: Int32Array,
  physical: Int32Array,
): number {
  let unserved = 0;
  for (let i = first; i < end; i++) {
    const e = ids[i] | 0;
    physical[i] = -1;
    if (e < 0 || e >= logicalExperts) continue;
    if (replicaCount[e] === 0) unserved++;
    let left = next[e]++;
    for (let k = 0; k < replicaCount[e]; k++) {
      const slot = logicalToPhysical[e * maxReplicas + k];
      if (left < quota[row + slot]) {
        physical[i] = slot;
        break;
      }
      left -= quota[row + slot];
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
  const { physicalExperts, logicalExperts } = slots;
  const next = new Int32Array(logicalExperts); // a source's tokens are counted by themselves
  if (rank !== undefined) {
    return handOut(slots, ids, 0, ids.length, sourceQuota, rank * physicalExperts, next, physical);
  }
  const sources = sourceQuota.length / physicalExperts;
  const from = (s: number) => dealtFrom(s, ids.length / topK, sources) * topK;
  let unserved = 0;
  for (let s = 0; s < sources; s++) {
    unserved += handOut(slots, ids, from(s), from(s + 1), sourceQuota, s * physicalExperts, next.fill(0), physical);
  }
  return unserved;
}
