import type { SourceTable } from "../lp/kernels/source_table.ts";
import type { Topology } from "../lp/topology.ts";
import type { Distance } from "../placement/distance.ts";
import type { Placement } from "../placement/placement.ts";
import type { Living } from "./living.ts";

/** What the stages on a device are made for. */
export interface StageOptions {
  placements: readonly Placement[];
  /** Of all GPUs: everything is sized for them. */
  topologies: readonly Topology[];
  /** Those that are alive; all are, if undefined. */
  living?: Living;
  layers: number;
  /** The most assignments N of a layer. */
  maxAssignments: number;
  skipBelow: number;
  late: boolean;
  topK: number;
  distance?: Distance;
  /** With distances: of the topologies. */
  sourceTable?: SourceTable | undefined;
}
