import type { Slots } from "../../placement/living_slots.ts";

/**
 * Twin of shaders/balancer/apportion.wgsl for one layer: the tokens of each expert (`counts` [E]) to its slots in proportion to `weights` [P],
 * evenly where there are none; `quota` [P] is written. BigInt, since products of two counts need 62 bits.
 */
export function apportion(
  { logicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Slots,
  counts: ArrayLike<number>,
  weights: ArrayLike<number> | undefined,
  quota: Int32Array,
): void {
  for (let e = 0; e < logicalExperts; e++) {
    const slots = logicalToPhysical.subarray(e * maxReplicas, e * maxReplicas + replicaCount[e]);
    if (slots.length === 1) {
      quota[slots[0]] = counts[e]; // as below, sooner
      continue;
    }
    let total = 0;
    if (weights) for (const slot of slots) total += weights[slot];
    const even = total === 0;
    if (even) total = slots.length;
    let running = 0;
    let given = 0;
    for (const slot of slots) {
      running += even ? 1 : weights![slot];
      const due = Number((BigInt(counts[e]) * BigInt(running)) / BigInt(total));
      quota[slot] = due - given;
      given = due;
    }
  }
}
