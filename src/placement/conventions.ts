/** Placements as vLLM, SGLang, EPLB, LPLB and TensorRT-LLM write them. */
import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { requireNoneMisspelt } from "../common/objects.ts";
import { readShares } from "./dispatch_shares.ts";
import { csrNames, type Fields, type LayerMaps, type MapNames, readCompressed, readMaps, readRows } from "./maps.ts";
import { widestReplica } from "./per_layer.ts";
import { EMPTY, Placement, type PlacementLike, requireCount, requireLayers } from "./placement.ts";
import { redundantToOriginal } from "./redundant_to_original.ts";
import { requireRedundantToOriginal } from "./topologies.ts";
import { type LoadBalancerConfig, layersOfConfig, loadBalancerConfig, readConfig } from "./trtllm.ts";

/** What each system keeps of L layers, by its own names. X: the most slots of any expert; -1 is padding. */
export interface PlacementMaps {
  vllm: {
    /** [L][P] */
    physical_to_logical_map: number[][];
    /** [L][E][X]; vLLM itself pads wider, to its most redundant experts + 1. */
    logical_to_physical_map: number[][][];
    /** [L][E] */
    logical_replica_count: number[][];
  };
  /** A layer is a hidden layer: SGLang counts dense ones, too, and ignores what their row says. */
  sglang: {
    /** [L][P] */
    physical_to_logical_map: number[][];
    /** [L][E][X]; SGLang itself pads to P. */
    logical_to_all_physical_map: number[][][];
    /** [L][E] */
    logical_to_all_physical_map_num_valid: number[][];
  };
  eplb: {
    /** [L][P] */
    phy2log: number[][];
    /** [L][E][X] */
    log2phy: number[][][];
    /** [L][E] */
    logcnt: number[][];
  };
  lplb: {
    /** [ranks per group][D], the same for all layers. It does not say which experts the GPUs hold, so the map stands beside it. */
    r2o: number[][];
    /** [L][P]; LPLB calls it phy2log. */
    physical_to_logical_map: number[][];
  };
  /** MoePlacementInfo. TensorRT-LLM's configuration file has rows of phy2log instead: see `PlacementFiles`. */
  trtllm: {
    /** [L][E] */
    expertReplicaCount: number[][];
    /** [L][E] where the slots of each expert begin in globalSlotIds. */
    expertReplicaStartOffset: number[][];
    /** [L][P] */
    globalSlotIds: number[][];
  };
}

export type PlacementFormat = keyof PlacementMaps;

const names = {
  vllm: {
    physicalToLogical: "physical_to_logical_map",
    logicalToPhysical: "logical_to_physical_map",
    replicaCount: "logical_replica_count",
  },
  sglang: {
    physicalToLogical: "physical_to_logical_map",
    logicalToPhysical: "logical_to_all_physical_map",
    replicaCount: "logical_to_all_physical_map_num_valid",
  },
  eplb: { physicalToLogical: "phy2log", logicalToPhysical: "log2phy", replicaCount: "logcnt" },
} satisfies Record<string, MapNames>;

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

/** What the systems read: `PlacementMaps`, but for SGLang and TensorRT-LLM. */
export type PlacementFiles = Omit<PlacementMaps, "sglang" | "trtllm"> & {
  sglang: Pick<PlacementMaps["sglang"], "physical_to_logical_map">;
  trtllm: LoadBalancerConfig;
};

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

/**
 * Reads what `placementMaps`, `placementsToJSON` or one of the systems wrote, told apart by the names. The layers of TensorRT-LLM's
 * configuration are taken in ascending order of their numbers.
 *
 * Everything that is there is checked, and must agree; a map or the counts may be missing, as long as one of the maps is there: the slots
 * of each expert suffice. They may be in any order and padded with -1 to any width. An r2o beside the map must describe it.
 * log2phy_prob is checked, too; `sharesFromJSON` returns it. So is gpus, which no system writes but `evenkeel plan` does. Other names are
 * ignored.
 *
 * An empty slot is -1 in the map from slots to experts, as vLLM has it; the map from experts to slots does not tell it alone. SGLang's maps of one rank
 * that hold only the nearest slots of each expert are refused; their physical_to_logical_map alone is complete.
 *
 * @param json  an object of nested arrays; rows may also be TypedArrays, of int64 too. Read, never written or kept.
 * @param shape.gpus  G, which no system writes down; must divide P, and be the gpus of the record where it has them.
 * @param shape.logicalExperts  E. Without it every expert must have a slot; with it those that have none are lost.
 * @returns a placement per layer.
 * @throws {ArgumentError} A part is missing or no array, or the maps are of several systems.  @throws {ShapeError} It is empty or ragged.
 * @throws {PlacementError} An entry is out of range, a slot or an expert is missing, or parts disagree, gpus among them.
 */
export function placementsFromJSON(json: object, shape: { gpus: number; logicalExperts?: number }): Placement[] {
  return readRecord(json, shape).placements;
}

/**
 * SGLang's log2phy_prob [L][E][copies] beside the maps of any system, as the `shares` that `measureImbalance` takes.
 *
 * Its columns are those of the map from experts to slots that stands beside it, or the slots in ascending order where none does.
 *
 * @returns [L, E, X] in the order of `logicalToPhysical`, X the most slots of any expert.
 * @throws as `placementsFromJSON`.  @throws {LoadError} A share is negative or not finite, or belongs to no slot.
 */
export function sharesFromJSON(json: object, shape: { gpus: number; logicalExperts?: number }): Float32Array {
  const { shares } = readRecord(json, shape);
  if (!shares) throw new ArgumentError(probName, "a non-empty array with a row per layer", undefined);
  return shares;
}

const probName = "log2phy_prob";

function readRecord(
  json: object,
  shape: { gpus: number; logicalExperts?: number },
): { placements: Placement[]; shares?: Float32Array } {
  if (typeof json !== "object" || json === null) {
    const remedy = typeof json === "string" ? "It is text: JSON.parse it first." : undefined;
    throw new ArgumentError("json", "an object with maps", json, remedy);
  }
  requireNoneMisspelt("shape", shape, { gpus: true, logicalExperts: true });
  const gpus = requireCount("gpus", shape?.gpus);
  const { logicalExperts } = shape;
  if (logicalExperts !== undefined) requireCount("logicalExperts", logicalExperts);
  const record = json as Fields;
  if (record.gpus !== undefined && record.gpus !== gpus) {
    const remedy = "The placement was made for another number of GPUs.";
    throw new PlacementError("json.gpus", `gpus = ${gpus}`, record.gpus, remedy);
  }
  const { source, mapName, maps } = readSystem(record, logicalExperts);
  const slots = maps.physicalToLogical[0].length;
  if (slots % gpus !== 0) {
    const remedy = "Every GPU holds equally many slots.";
    throw new ShapeError(`${source}[0]`, `a multiple of gpus = ${gpus} slots`, slots, remedy);
  }
  const placements = maps.physicalToLogical.map((map) =>
    Placement.fromPhysicalToLogical(map, { gpus, logicalExperts }),
  );
  if (record.r2o !== undefined) {
    const r2o = readRows("r2o", record.r2o, "a rank");
    requireRedundantToOriginal(r2o);
    for (const [layer, placement] of placements.entries()) requireGraph(r2o, placement, `${mapName}[${layer}]`);
  }
  if (record[probName] === undefined) return { placements };
  return { placements, shares: readShares(probName, record[probName], maps.slotsOf, placements) };
}

/** Finds out whose maps they are, and reads them. `source` is what the slots were counted in, `mapName` what [L, P] is called. */
function readSystem(
  record: Fields,
  logicalExperts: number | undefined,
): { source: string; mapName: string; maps: LayerMaps } {
  const known: readonly (readonly string[])[] = [
    ...Object.values(names).map((one) => Object.values(one)),
    csrNames,
    ["initial_global_assignments"],
  ];
  const present = [...new Set(known.flat())].filter((name) => record[name] !== undefined);
  if (present.length === 0 && record.r2o !== undefined) {
    const remedy = "It does not say which experts the GPUs hold; Placement.fromRedundantToOriginal takes it alone.";
    throw new ArgumentError("json", "a physical_to_logical_map beside r2o", "none", remedy);
  }
  if (present.length === 0) {
    const found = Object.keys(record).join(", ");
    throw new ArgumentError("json", "the maps of vLLM, SGLang, EPLB, LPLB or TensorRT-LLM", found || "nothing");
  }
  const one = known.findIndex((all) => present.every((name) => all.includes(name)));
  if (one < 0) throw new ArgumentError("json", "the maps of one system", present.join(", "));
  const configured = layersOfConfig(record);
  if (configured) {
    const source = "initial_global_assignments";
    return { source, mapName: source, maps: readConfig(record, configured, logicalExperts) };
  }
  const system = Object.values(names)[one];
  if (!system)
    return { source: "globalSlotIds", mapName: "physicalToLogical", maps: readCompressed(record, logicalExperts) };
  const { physicalToLogical: mapName, logicalToPhysical } = system;
  const source = record[mapName] === undefined ? logicalToPhysical : mapName;
  return { source, mapName, maps: readMaps(record, system, logicalExperts) };
}

/** Throws unless r2o, repeated over the groups of GPUs and the columns, is where the redundant slots copy from. */
function requireGraph(r2o: readonly number[][], placement: Placement, path: string): void {
  const { gpus } = placement;
  const ranks = r2o.length;
  if (gpus % ranks !== 0) throw new ShapeError("r2o", `a divisor of gpus = ${gpus} rows`, ranks);
  const found = redundantToOriginal(placement, path);
  const redundant = found[0].length;
  const columns = r2o[0].length;
  if (columns > redundant) throw new ShapeError("r2o[0]", `at most ${redundant} redundant slots of a GPU`, columns);
  for (let g = 0; g < gpus; g++) {
    for (let d = 0; d < redundant; d++) {
      const group = g - (g % ranks);
      const original = g - (g % found.length) + found[g % found.length][d];
      const said = r2o[g % ranks][d % columns];
      if (group + said === original) continue;
      const expected = `${original - group}, where ${path} has the original of GPU ${g}'s redundant slot ${d}`;
      throw new PlacementError(`r2o[${g % ranks}][${d % columns}]`, expected, said);
    }
  }
}
