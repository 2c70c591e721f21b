import type { Placement } from "../placement/placement.ts";

/** Twin of shaders/shares.wgsl for one layer: quotas [P] as fractions [E, width] of each expert's tokens [E]; even where it has none. */
export function shares(
  { logicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Placement,
  counts: ArrayLike<number>,
  quota: ArrayLike<number>,
  width: number,
): Float32Array {
  const result = new Float32Array(logicalExperts * width);
  for (let e = 0; e < logicalExperts; e++) {
    for (let i = 0; i < replicaCount[e]; i++) {
      const tokens = quota[logicalToPhysical[e * maxReplicas + i]];
      result[e * width + i] = counts[e] === 0 ? 1 / replicaCount[e] : tokens / counts[e];
    }
  }
  return result;
}
