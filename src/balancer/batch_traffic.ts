/** Where a balanced batch went from its sources, and where it would have gone. */
import type { Distance } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import { evenQuota } from "./even_quota.ts";
import type { CheckedRank } from "./rank_counts.ts";
import { dealtTo } from "./sources.ts";
import { type TrafficReport, trafficOf } from "./traffic_report.ts";
import { remap } from "./twins/remap.ts";

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
  const quota = evenQuota(slots, layers, counts);
  const physicalIds = new Int32Array(ids.length);
  const none = new Int32Array(experts);
  for (let l = 0; l < layers; l++) {
    const [own, physical] = [ids, physicalIds].map((all) => rowOf(all, ids.length / layers, l)) as [
      typeof ids,
      Int32Array,
    ];
    const before = rank ? rowOf(rank.before, experts, l) : none;
    remap(ofLayer(slots, l), own, rowOf(quota, physicalExperts, l), before, physical);
  }
  return trafficAfter(sent, physicalIds);
}
