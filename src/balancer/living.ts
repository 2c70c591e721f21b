import type { Curve } from "../lp/time/expert_cost.ts";
import { type Topology, topologyOfPlacement } from "../lp/topology.ts";
import type { Distance } from "../placement/distance.ts";
import { livingSlots, type Slots } from "../placement/living_slots.ts";
import type { Placement } from "../placement/placement.ts";
import { type BaseLoad, type GivenBaseLoad, readBaseLoad } from "./base_load.ts";
import { SourceSplitter } from "./source_split.ts";

/** What changes in a balancer with the GPUs that are alive: one, or one per layer, of each. */
export interface Living {
  /** [G] 1 where a GPU is alive; undefined: all are. */
  active: Uint8Array | undefined;
  slots: readonly Slots[];
  topologies: readonly Topology[];
  /** [L, G] of the options, 0 on dead GPUs; undefined: none. */
  baseLoad: BaseLoad | undefined;
  /** Where there are distances. */
  splitter: SourceSplitter | undefined;
}

/** @throws {LoadError} A base load of a GPU that is alive is not as it should be. */
export function livingOf(
  placements: readonly Placement[],
  speed: Float64Array,
  active: Uint8Array | undefined,
  baseLoad?: GivenBaseLoad,
  cost?: Curve,
  distance?: Distance,
): Living {
  const some = active?.includes(0) ? active : undefined;
  const topologies = placements.map((one) => topologyOfPlacement(one, speed, some, cost));
  return {
    active: some,
    slots: placements.map((one) => livingSlots(one, some)),
    topologies,
    baseLoad: baseLoad && readBaseLoad(baseLoad, some),
    splitter: distance && new SourceSplitter(topologies, distance),
  };
}
