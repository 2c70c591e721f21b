import { EMPTY, type Placement } from "./placement.ts";

/** Of a placement what the balancer's stages go by. */
export type Slots = Pick<
  Placement,
  | "gpus"
  | "logicalExperts"
  | "physicalExperts"
  | "physicalToLogical"
  | "replicaCount"
  | "maxReplicas"
  | "logicalToPhysical"
  | "gpuOf"
>;

/**
 * A placement as it is while some GPUs are dead: their slots are empty. Their numbers stay, and so does the width of `logicalToPhysical`: in each row
 * the replicaCount living slots, ascending, then the dead ones, then -1.
 *
 * @param active  [G] 1 where a GPU is alive; all are, if undefined.
 */
export function livingSlots(placement: Placement, active: Uint8Array | undefined): Slots {
  if (!active) return placement;
  const { logicalExperts, maxReplicas, gpuOf } = placement;
  const lives = (slot: number) => active[gpuOf[slot]] === 1;
  const physicalToLogical = placement.physicalToLogical.map((e, slot) => (lives(slot) ? e : EMPTY));
  const logicalToPhysical = placement.logicalToPhysical.slice();
  const replicaCount = new Int32Array(logicalExperts);
  for (let e = 0; e < logicalExperts; e++) {
    const row = logicalToPhysical.subarray(e * maxReplicas, (e + 1) * maxReplicas);
    const all = [...row.subarray(0, placement.replicaCount[e])];
    const living = all.filter(lives);
    row.set([...living, ...all.filter((slot) => !lives(slot))]);
    replicaCount[e] = living.length;
  }
  return { ...placement, physicalToLogical, logicalToPhysical, replicaCount };
}
