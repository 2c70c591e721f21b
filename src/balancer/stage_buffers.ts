import { WORD } from "../gpu/constants.ts";
import type { Job } from "../gpu/job.ts";
import { proofWords } from "../lp/kernels/proof.ts";
import type { Topology } from "../lp/topology.ts";
import type { Placement } from "../placement/placement.ts";
import { BALANCE_PARAMS_BYTES, chunksOf, placementTable } from "./kernels/balance_params.ts";
import { METRICS_WORDS } from "./kernels/imbalance.ts";
import type { Living } from "./living.ts";

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
}

type Sizes = Pick<StageOptions, "placements" | "layers" | "maxAssignments">;

/** Bytes of what a batch is answered from. */
export function outputBytes({ placements, layers, maxAssignments }: Sizes) {
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const perLayer = (words: number) => layers * words * WORD;
  return {
    physical: perLayer(maxAssignments),
    outOfRange: perLayer(1),
    unserved: perLayer(1),
    quota: perLayer(slots),
    gpuLoadBefore: perLayer(gpus),
    busyBefore: perLayer(gpus),
    metricsBefore: perLayer(METRICS_WORDS),
    gpuLoadAfter: perLayer(gpus),
    busyAfter: perLayer(gpus),
    metricsAfter: perLayer(METRICS_WORDS),
    skip: perLayer(1),
    proof: perLayer(proofWords(gpus)),
    counts: perLayer(experts),
  };
}
export type StageOutput = keyof ReturnType<typeof outputBytes>;

/** Bytes or words of the balancer's own buffers, for the largest batch. */
export function stageContents(options: StageOptions) {
  const { placements, layers, maxAssignments, living } = options;
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const perLayer = (words: number) => layers * words * WORD;
  return {
    ...outputBytes(options),
    ids: perLayer(maxAssignments),
    rankCounts: perLayer(experts),
    rankBefore: perLayer(experts),
    baseLoad: living?.baseLoad ?? perLayer(gpus), // of the options; zero where there is none
    batchBaseLoad: perLayer(gpus),
    noneBefore: perLayer(experts), // tokens of earlier ranks: zero
    chunkCounts: perLayer(chunksOf(maxAssignments) * experts),
    previous: perLayer(slots), // late: the last batch's solution; zero at first: an even split
    skipAfter: perLayer(1), // written by the second imbalance, read by nobody
    placement: placementTable(placements).data,
    noSizes: BALANCE_PARAMS_BYTES, // zero experts: nothing to do
  };
}
export type StageBuffer = keyof ReturnType<typeof stageContents>;

export type StageJob = Job<StageBuffer, StageOutput>;
