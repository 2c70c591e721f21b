import type { Slots } from "../../placement/living_slots.ts";

/**
 * Twin of shaders/balancer/shares.wgsl for one layer: quotas [P] as fractions [E, width] of each expert's tokens [E]; even over its living slots where it has
 * none. Columns are all its slots, ascending: 0 for dead ones.
 */
export function shares(
  { logicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Slots,
  counts: ArrayLike<number>,
  quota: ArrayLike<number>,
  width: number,
): Float32Array {
  const result = new Float32Array(logicalExperts * width);
  for (let e = 0; e < logicalExperts; e++) {
    const row = logicalToPhysical.subarray(e * maxReplicas, (e + 1) * maxReplicas);
    const dead = row.subarray(replicaCount[e]).filter((slot) => slot >= 0);
    for (let i = 0; i < replicaCount[e]; i++) {
      const tokens = quota[row[i]];
      const column = i + dead.filter((slot) => slot < row[i]).length;
      result[e * width + column] = counts[e] === 0 ? 1 / replicaCount[e] : tokens / counts[e];
    }
  }
  return result;
}
