import { WORD } from "../gpu/constants.ts";
import type { Job } from "../gpu/job.ts";
import { costTable } from "../lp/kernels/cost_table.ts";
import { proofWords } from "../lp/kernels/proof.ts";
import { trafficProofWords } from "../lp/kernels/traffic.ts";
import { wordsOf } from "./base_load.ts";
import { BALANCE_PARAMS_BYTES, chunksOf, placementTable } from "./kernels/balance_params.ts";
import { METRICS_WORDS } from "./kernels/imbalance.ts";
import { TIME_METRICS_WORDS } from "./kernels/time_imbalance.ts";
import { sourceContents } from "./source_buffers.ts";
import type { StageOptions } from "./stage_options.ts";

type Sizes = Pick<StageOptions, "placements" | "topologies" | "layers" | "maxAssignments" | "distance">;

/** Bytes of what a batch is answered from. */
export function outputBytes({ placements, topologies, layers, maxAssignments, distance }: Sizes) {
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const perLayer = (words: number) => layers * words * WORD;
  const timed = (words: number) => (topologies[0].cost ? perLayer(words) : 0);
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
    timeBefore: timed(gpus),
    timeMetricsBefore: timed(TIME_METRICS_WORDS),
    timeAfter: timed(gpus),
    timeMetricsAfter: timed(TIME_METRICS_WORDS),
    skip: perLayer(1),
    proof: perLayer(proofWords(gpus)),
    counts: perLayer(experts),
    sourceQuota: perLayer((distance?.sources ?? 0) * slots),
    trafficProof: perLayer(distance ? trafficProofWords({ gpus }) : 0),
  };
}
export type StageOutput = keyof ReturnType<typeof outputBytes>;

/** Bytes or words of the balancer's own buffers, for the largest batch. */
export function stageContents(options: StageOptions) {
  const { placements, topologies, layers, maxAssignments, living } = options;
  const { cost, speed } = topologies[0];
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const perLayer = (words: number) => layers * words * WORD;
  return {
    ...sourceContents(options),
    ...outputBytes(options),
    ids: perLayer(maxAssignments),
    rankCounts: perLayer(experts),
    rankBefore: perLayer(experts),
    baseLoad: living?.baseLoad ? wordsOf(living.baseLoad) : perLayer(gpus), // of the options; zero where there is none
    noTokens: cost ? perLayer(gpus) : 0, // base loads of reports on tokens, where those given are times: zero
    curve: cost ? costTable(cost) : 0,
    rate: cost ? Float32Array.from(speed, (v) => 1 / v) : 0,
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
