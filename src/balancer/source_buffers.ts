import { WORD } from "../gpu/constants.ts";
import { sourceParams, sourceTable } from "../lp/kernels/source_table.ts";
import { pacesOf } from "../lp/kernels/topology_table.ts";
import { trafficProofWords } from "../lp/kernels/traffic.ts";
import type { StageOptions } from "./stage_options.ts";

/** Words of the buffers that distances need, or words from the start; none without distances. */
export function sourceContents({ topologies, distance, layers, skipBelow }: StageOptions) {
  const table = distance && sourceTable(topologies, distance);
  const perLayer = (words: number | undefined) => layers * (words ?? 0) * WORD;
  const [S, E, P] = table ? [table.sources, table.experts, table.slots] : [0, 0, 0];
  return {
    sourceTable: table?.data ?? 0,
    sourceParams: table ? sourceParams(table, layers, skipBelow > 0) : 0,
    pace: table ? Uint32Array.from(pacesOf(topologies[0].speed)) : 0,
    bySource: perLayer(S * E),
    rankBySource: perLayer(S * E),
    sourceStart: perLayer(S * E),
    sourceFlow: perLayer(table && table.replicas * S),
    sourceQuota: perLayer(S * P),
    caps: perLayer(table?.gpus),
    trafficProof: perLayer(table && trafficProofWords(table)),
  };
}
