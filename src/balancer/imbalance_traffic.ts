/** Where the assignments of a measured batch go from their sources: the checks of who the sources are, and the count. */
import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { type Numbers, requireNumbers } from "../common/numbers.ts";
import { checkDistance, type Distance, type Distanced } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { byPosition } from "./by_position.ts";
import { evenQuota } from "./even_quota.ts";
import { dealtTo } from "./sources.ts";
import { type TrafficReport, trafficOf } from "./traffic_report.ts";
import { count } from "./twins/count.ts";

/** Whose tokens are whose. */
interface Sources {
  distance: Distance;
  of(token: number): number;
}

/** And which experts the tokens go to. */
export interface SourcedIds extends Sources {
  /** [L, T, k] */
  ids: Int32Array | Uint32Array;
  topK: number;
}

/**
 * Whose the tokens are; undefined where there are no distances.
 *
 * @param tokens  T, undefined where a batch is told by its counts.
 * @throws {ArgumentError | ShapeError | LoadError} They are not as they should be, or there are no tokens to be anybody's.
 */
export function checkSources(
  input: Distanced & { tokenSource?: Numbers },
  gpus: number,
  tokens: number | undefined,
): Sources | undefined {
  const { tokenSource } = input;
  const distance = checkDistance(input, gpus);
  if (!distance) {
    if (tokenSource === undefined) return undefined;
    throw new ArgumentError("tokenSource", "none without distances", tokenSource, "Give `distance`, or `nodes`.");
  }
  const { sources } = distance;
  if (tokens === undefined) {
    const name = "nodes" in distance.given ? "nodes" : "distance";
    const remedy = "Counts do not say whose tokens they are: give the ids, `topkIds` and `topK`.";
    throw new ArgumentError(name, "none with counts", input[name], remedy);
  }
  if (tokenSource === undefined) return { distance, of: (t) => dealtTo(t, tokens, sources) };
  requireNumbers("tokenSource", tokenSource);
  if (tokenSource.length !== tokens) throw new ShapeError("tokenSource", `T = ${tokens} values`, tokenSource.length);
  for (let t = 0; t < tokens; t++) {
    const source: unknown = tokenSource[t];
    if (typeof source === "number" && Number.isInteger(source) && source >= 0 && source < sources) continue;
    throw new LoadError(`tokenSource[${t}]`, `a source, an integer from 0 to ${sources - 1}`, source);
  }
  return { distance, of: (t) => tokenSource[t] };
}

/**
 * Counts where the ids go, those of each expert to its slots in order of position.
 *
 * @param quota  [L, P] what each slot gets; without it, an expert's slots get equal parts.
 */
export function trafficByPosition(
  { distance, of, ids, topK }: SourcedIds,
  placements: readonly Slots[],
  layers: number,
  quota: Int32Array | undefined,
): TrafficReport {
  const split = quota ?? evenQuota(placements, layers, count(ids, layers, placements[0].logicalExperts).counts);
  return trafficOf(distance, placements, layers, topK, byPosition(placements, layers, ids, split), of);
}
