import { WORD } from "../gpu/constants.ts";
import { sourceParams } from "../lp/kernels/source_table.ts";
import { pacesOf } from "../lp/kernels/topology_table.ts";
import type { StageOptions } from "./stage_options.ts";

/** Words of the buffers that distances need, or words from the start; none without distances. */
export function sourceContents({ topologies, sourceTable: table, layers, skipBelow }: StageOptions) {
  const perLayer = (words: number | undefined) => layers * (words ?? 0) * WORD;
  const [S, E] = table ? [table.sources, table.experts] : [0, 0];
  return {
    sourceTable: table?.data ?? 0,
    sourceParams: table ? sourceParams(table, layers, skipBelow > 0) : 0,
    pace: table ? Uint32Array.from(pacesOf(topologies[0].speed)) : 0,
    bySource: perLayer(S * E),
    rankBySource: perLayer(S * E),
    sourceStart: perLayer(S * E),
    sourceFlow: perLayer(table && table.replicas * S),
    caps: perLayer(table?.gpus),
  };
}
