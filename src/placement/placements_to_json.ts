/** Writes placements as vLLM, SGLang, EPLB, LPLB and TensorRT-LLM keep them, and as they read them from a file. */
import { ArgumentError, PlacementError } from "../common/errors.ts";
import type { PlacementFiles, PlacementFormat, PlacementMaps } from "./conventions.ts";
import { widestReplica } from "./per_layer.ts";
import { EMPTY, type Placement, type PlacementLike, requireLayers } from "./placement.ts";
import { redundantToOriginal } from "./redundant_to_original.ts";
import { loadBalancerConfig } from "./trtllm.ts";

const writers: { [Format in PlacementFormat]: (placements: readonly Placement[]) => PlacementMaps[Format] } = {
  vllm: (placements) => ({
    physical_to_logical_map: placements.map(expertsOfSlots),
    logical_to_physical_map: paddedSlots(placements),
    logical_replica_count: placements.map(replicaCounts),
  }),
  sglang: (placements) => ({
    physical_to_logical_map: placements.map(expertsOfSlots),
    logical_to_all_physical_map: paddedSlots(placements),
    logical_to_all_physical_map_num_valid: placements.map(replicaCounts),
  }),
  eplb: (placements) => ({
    phy2log: placements.map(expertsOfSlots),
    log2phy: paddedSlots(placements),
    logcnt: placements.map(replicaCounts),
  }),
  lplb: (placements) => ({
    r2o: commonGraph(placements),
    physical_to_logical_map: placements.map(expertsOfSlots),
  }),
  trtllm: (placements) => ({
    expertReplicaCount: placements.map(replicaCounts),
    expertReplicaStartOffset: placements.map(startOffsets),
    globalSlotIds: placements.map(({ logicalToPhysical }) => [...logicalToPhysical].filter((slot) => slot >= 0)),
  }),
};

/** For a command line: the systems that placements can be written for. */
export const placementFormats = Object.keys(writers) as PlacementFormat[];

const expertsOfSlots = ({ physicalToLogical }: Placement) => [...physicalToLogical];
const replicaCounts = ({ replicaCount }: Placement) => [...replicaCount];

function startOffsets({ replicaCount }: Placement): number[] {
  let start = 0;
  return Array.from(replicaCount, (count) => {
    start += count;
    return start - count;
  });
}

function paddedSlots(placements: readonly Placement[]): number[][][] {
  const width = widestReplica(placements);
  return placements.map(({ logicalExperts, logicalToPhysical, maxReplicas }) =>
    Array.from({ length: logicalExperts }, (_, e) => [
      ...logicalToPhysical.subarray(e * maxReplicas, (e + 1) * maxReplicas),
      ...new Array<number>(width - maxReplicas).fill(-1),
    ]),
  );
}

/** The r2o of all layers: LPLB has one. */
function commonGraph(placements: readonly Placement[]): number[][] {
  const graphs = placements.map((one, layer) => redundantToOriginal(one, `placements[${layer}].physicalToLogical`));
  const other = graphs.findIndex((r2o) => r2o.flat().join() !== graphs[0].flat().join());
  if (other >= 0) throw new PlacementError(`placements[${other}]`, "the r2o of placements[0]", "another");
  return graphs[0];
}

/**
 * All maps that a system keeps of a placement, by its own names.
 *
 * Nested arrays of numbers, whatever the map: JSON writes them as they are, and torch.tensor(map) makes the int64 tensor that the systems
 * have. The slots of an expert are in ascending order; EPLB lists them in the order it made them, which a Placement does not keep.
 *
 * @param placements  one per layer, all of the same sizes; several with different most slots are padded to the widest.
 * @throws {ArgumentError | ShapeError} placements or format is not as it should be.
 * @throws {PlacementError} A slot is empty, which only vLLM's map can say; or format is "lplb", and a layer is not of LPLB's shape, or not of the same
 * graph as the first.
 */
export function placementMaps<Format extends PlacementFormat>(
  placements: readonly PlacementLike[],
  format: Format,
): PlacementMaps[Format] {
  return writers[format](requireFormat(placements, format));
}

/**
 * `placementMaps` for a file. For SGLang it is what --init-expert-location takes: physical_to_logical_map alone, for SGLang makes the other
 * maps itself and stops at names it does not expect. For TensorRT-LLM it is the load balancer's configuration, which is YAML there and refuses further
 * names, too; its layers are numbered from 0, and a model whose first layers are dense wants them numbered from there.
 *
 * @throws as `placementMaps`.
 */
export function placementsToJSON<Format extends PlacementFormat>(
  placements: readonly PlacementLike[],
  format: Format,
): PlacementFiles[Format] {
  return fileWriters[format](requireFormat(placements, format));
}

const fileWriters: { [Format in PlacementFormat]: (placements: readonly Placement[]) => PlacementFiles[Format] } = {
  ...writers,
  sglang: (placements) => ({ physical_to_logical_map: placements.map(expertsOfSlots) }),
  trtllm: (placements) => loadBalancerConfig(placements),
};

function requireFormat(given: readonly PlacementLike[], format: PlacementFormat): Placement[] {
  const placements = requireLayers(given);
  for (const [layer, { slotsPerGpu }] of placements.entries()) {
    const uneven = slotsPerGpu.findIndex((slots) => slots !== slotsPerGpu[0]);
    if (uneven < 0) continue;
    const name = `placements[${layer}].slotsPerGpu[${uneven}]`;
    throw new PlacementError(name, `${slotsPerGpu[0]} as on GPU 0, which every system counts on`, slotsPerGpu[uneven]);
  }
  if (!placementFormats.includes(format)) {
    throw new ArgumentError("format", placementFormats.map((known) => `"${known}"`).join(" or "), format);
  }
  for (const [layer, { physicalToLogical }] of format === "vllm" ? [] : placements.entries()) {
    const empty = physicalToLogical.indexOf(EMPTY);
    if (empty < 0) continue;
    const name = `placements[${layer}].physicalToLogical[${empty}]`;
    throw new PlacementError(name, `an expert in every slot for "${format}"`, EMPTY, `"vllm" has empty slots.`);
  }
  return placements;
}
