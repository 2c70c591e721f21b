/** Where the assignments of one batch of a layer go from their sources, by several ways to hand them out. */
import { trafficOf } from "../../balancer/traffic_report.ts";
import { remap } from "../../balancer/twins/remap.ts";
import type { Distance } from "../../placement/distance.ts";
import type { Slots } from "../../placement/living_slots.ts";
import type { Places } from "./assignment_places.ts";
import { ratio } from "./split_imbalance.ts";

/** Recorded ids of a layer and step, and whose the tokens are. */
export interface SourcedBatch {
  /** [T, k]; those that are no expert are -1. */
  ids: Int32Array;
  topK: number;
  sourceOf: (token: number) => number;
}

/** Of assignments, and of (token, node) pairs: what is sent where a token goes to each node once. */
export interface Sent extends Places {
  tokenNodePairs: number;
  otherNodePairs: number;
  /** The busiest GPU's load over the mean living GPU's. */
  imbalance: number;
}

/** What all batches of a layer have in common. */
export interface LayerSources {
  distance: Distance;
  slots: Slots;
  /** GPUs that are alive. */
  living: number;
}

/** [S, E] whose tokens are whose, and how many tokens have an expert at all. */
export function sourceLoadOf({ ids, topK, sourceOf }: SourcedBatch, sources: number, experts: number) {
  const sourceLoad = new Int32Array(sources * experts);
  let tokens = 0;
  for (let t = 0, i = 0; i < ids.length; t++) {
    const row = sourceOf(t) * experts;
    let some = false;
    for (const end = i + topK; i < end; i++) {
      if (ids[i] < 0) continue;
      sourceLoad[row + ids[i]]++;
      some = true;
    }
    if (some) tokens++;
  }
  return { sourceLoad, tokens };
}

/** An expert's tokens fill its slots in order of position, as far as `quota` [P] goes: where a token goes does not depend on where it is. */
export function sentByPosition(layer: LayerSources, batch: SourcedBatch, quota: ArrayLike<number>): Sent {
  const physicalIds = new Int32Array(batch.ids.length);
  const before = new Int32Array(layer.slots.logicalExperts); // there are no other ranks
  remap(layer.slots, batch.ids, quota, before, physicalIds);
  return sent(layer, batch, physicalIds);
}

/** The tokens of each source fill its own row of `sourceQuota` [S, P], in order of position. */
export function sentBySource(layer: LayerSources, batch: SourcedBatch, sourceQuota: Int32Array): Sent {
  const { ids, topK, sourceOf } = batch;
  const { physicalExperts, maxReplicas, replicaCount, logicalToPhysical } = layer.slots;
  const left = sourceQuota.slice();
  const physicalIds = new Int32Array(ids.length).fill(-1);
  for (let i = 0; i < ids.length; i++) {
    const e = ids[i];
    if (e < 0) continue;
    const row = sourceOf(Math.floor(i / topK)) * physicalExperts;
    for (let r = 0; r < replicaCount[e]; r++) {
      const slot = logicalToPhysical[e * maxReplicas + r];
      if (left[row + slot] === 0) continue;
      left[row + slot]--;
      physicalIds[i] = slot;
      break;
    }
  }
  return sent(layer, batch, physicalIds);
}

function sent(
  { distance, slots, living }: LayerSources,
  { topK, sourceOf }: SourcedBatch,
  physicalIds: Int32Array,
): Sent {
  const report = trafficOf(distance, [slots], 1, topK, physicalIds, sourceOf);
  const load = new Float64Array(slots.gpus);
  for (const slot of physicalIds) if (slot >= 0) load[slots.gpuOf[slot]]++;
  const [ownGpu, ownNode, otherNodes] = [report.ownGpu[0], report.ownNode[0], report.otherNodes[0]];
  const served = ownGpu + ownNode + otherNodes;
  const [tokenNodePairs, otherNodePairs] = [report.tokenNodePairs[0], report.otherNodePairs[0]];
  const imbalance = ratio(Math.max(...load), served / living);
  return { ownGpu, ownNode, otherNodes, tokenNodePairs, otherNodePairs, imbalance };
}
