/** Where a balanced batch went from its sources, and where it would have gone. */
import type { Distance } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { byPosition } from "./by_position.ts";
import { evenQuota } from "./even_quota.ts";
import type { CheckedRank } from "./rank_counts.ts";
import { dealtTo } from "./sources.ts";
import { type TrafficReport, trafficOf } from "./traffic_report.ts";

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
  return trafficAfter(sent, byPosition(slots, layers, ids, evenQuota(slots, layers, counts), rank?.before));
}
