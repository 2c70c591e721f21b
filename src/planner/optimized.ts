import type { AdapterReport } from "../gpu/device.ts";
import type { BackendName } from "../lp/solution.ts";
import type { Placement } from "../placement/placement.ts";
import type { Comparison, LayerOutcome } from "./layer.ts";
import type { SharedGraph } from "./shared_graph.ts";

export interface OptimizedLayer {
  /** Imbalance on the recorded batches, of the placement that the search began from (EPLB's, or the one in force) and of the one returned. */
  recorded: Comparison;
  /** A bound on the recorded batches that no placement of so many slots beats: where it is well above 1, more replicas are the remedy. */
  bound: number;
  /** The same trial on the last quarter, which neither placement was fitted to; none for fewer than 8 batches, a shared topology, or one slot per GPU. */
  validation: Comparison | undefined;
  /** Why the layer keeps what it began with: nothing better on "recorded" batches, or on "validation"; undefined where it was optimised. */
  kept: LayerOutcome["kept"];
  /** Slots whose GPU must load another expert's weights, compared with the placement in force, or else with EPLB's. */
  moved: number;
  /** Moves tried. */
  evaluations: number;
}

/** Who did the work. */
export interface Crew {
  /** Threads that worked, the caller's own where it is one. */
  threads: number;
  /** Why fewer than were asked for. */
  why: string | undefined;
}

export interface OptimizedPlacements {
  /** One per layer, all of the same sizes unless slotsPerGpu leaves room. */
  placements: Placement[];
  layers: OptimizedLayer[];
  /** Means over the layers that have tokens; 1 where none has. */
  recorded: Comparison;
  sharedTopology: SharedGraph | undefined;
  evaluations: number;
  /** "search": it ended by itself, and the same call gives the same answer. "budget": time ran out somewhere. */
  stoppedBy: "search" | "budget";
  crew: Crew;
  /** Who solved the LPs. */
  backend: BackendName;
  adapter: AdapterReport | undefined;
  /** Why this backend. */
  reason: string;
}
