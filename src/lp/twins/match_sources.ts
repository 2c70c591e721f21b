import type { Distance } from "../../placement/distance.ts";
import type { Topology } from "../topology.ts";
import { NearestMatcher } from "../traffic/match.ts";

/** Twin of shaders/lp/match_sources.wgsl for one LP: what the CPU answers by as well. [S, E], [P] and [S, P] out. */
export function matchSources(
  topology: Topology,
  distance: Distance,
  sourceLoad: Int32Array,
  quota: Int32Array,
  sourceQuota: Int32Array,
): void {
  new NearestMatcher(topology, distance).match(sourceLoad, quota, sourceQuota);
}
