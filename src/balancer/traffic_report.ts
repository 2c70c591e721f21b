import { type Distance, OTHER_NODE } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import type { CheckedRank } from "./rank_counts.ts";
import { dealtTo } from "./sources.ts";
import { apportion } from "./twins/apportion.ts";
import { remap } from "./twins/remap.ts";

/** Where the assignments of a batch went from their sources. All [L]. */
export interface TrafficReport {
  /** Assignments that stayed on their token's own GPU, */
  ownGpu: Int32Array;
  /** went to another of its node, */
  ownNode: Int32Array;
  /** or to another node. */
  otherNodes: Int32Array;
  /** Different (token, node) pairs: what is sent where a token goes to each node once, however many of its experts are there (DeepEP). */
  tokenNodePairs: Int32Array;
  /** Of these, the pairs with another node than the token's own. */
  otherNodePairs: Int32Array;
}

export type TrafficTotals = Record<keyof TrafficReport, number>;

/** A batch's, of this rank alone or of all sources. */
interface Sent {
  distance: Distance;
  slots: readonly Slots[];
  layers: number;
  topK: number;
  ids: Int32Array | Uint32Array;
  rank: CheckedRank | undefined;
}

/** Where physical ids went. */
export function trafficAfter(
  { distance, slots, layers, topK, ids, rank }: Sent,
  physicalIds: Int32Array,
): TrafficReport {
  const tokens = ids.length / (layers * topK);
  const source = rank?.source?.rank;
  const sourceOf = source === undefined ? (t: number) => dealtTo(t, tokens, distance.sources) : () => source;
  return trafficOf(distance, slots, layers, topK, physicalIds, sourceOf);
}

/** Where they would have gone by position under an even split of `counts` [L, E]. */
export function trafficBefore(sent: Sent, counts: Int32Array): TrafficReport {
  const { slots, layers, ids, rank } = sent;
  const { logicalExperts: experts, physicalExperts } = slots[0];
  const physicalIds = new Int32Array(ids.length);
  const quota = new Int32Array(physicalExperts);
  const none = new Int32Array(experts);
  for (let l = 0; l < layers; l++) {
    const own = ofLayer(slots, l);
    apportion(own, rowOf(counts, experts, l), undefined, quota.fill(0));
    const row = [ids, physicalIds].map((all) => rowOf(all, ids.length / layers, l)) as [typeof ids, Int32Array];
    remap(own, row[0], quota, rank ? rowOf(rank.before, experts, l) : none, row[1]);
  }
  return trafficAfter(sent, physicalIds);
}

/**
 * Counts where physical ids [L, T, k] went; those that are -1 went nowhere.
 *
 * @param sourceOf  of token t.
 */
export function trafficOf(
  { gpus, place, nodeOf }: Distance,
  slots: readonly Slots[],
  layers: number,
  topK: number,
  physicalIds: Int32Array,
  sourceOf: (t: number) => number,
): TrafficReport {
  const zeros = () => new Int32Array(layers);
  const at = [zeros(), zeros(), zeros()];
  const [tokenNodePairs, otherNodePairs] = [zeros(), zeros()];
  const tokens = physicalIds.length / (layers * topK);
  const seen = new Int32Array(nodeOf.reduce((most, node) => Math.max(most, node + 1), 1)).fill(-1); // by the token
  for (let l = 0, i = 0; l < layers; l++) {
    const { gpuOf } = ofLayer(slots, l);
    for (let t = 0; t < tokens; t++) {
      const row = sourceOf(t) * gpus;
      for (const end = i + topK; i < end; i++) {
        if (physicalIds[i] < 0) continue;
        const g = gpuOf[physicalIds[i]];
        at[place[row + g]][l]++;
        if (seen[nodeOf[g]] === l * tokens + t) continue;
        seen[nodeOf[g]] = l * tokens + t;
        tokenNodePairs[l]++;
        if (place[row + g] === OTHER_NODE) otherNodePairs[l]++;
      }
    }
  }
  const [ownGpu, ownNode, otherNodes] = at;
  return { ownGpu, ownNode, otherNodes, tokenNodePairs, otherNodePairs };
}
