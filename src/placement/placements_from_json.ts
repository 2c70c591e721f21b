/** Reads placements as vLLM, SGLang, EPLB, LPLB and TensorRT-LLM write them. */
import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { requireNoneMisspelt } from "../common/objects.ts";
import { mapNames } from "./conventions.ts";
import { readShares } from "./dispatch_shares.ts";
import { csrNames, type Fields, type LayerMaps, readCompressed, readMaps, readRows } from "./maps.ts";
import { Placement, requireCount } from "./placement.ts";
import { redundantToOriginal } from "./redundant_to_original.ts";
import { requireRedundantToOriginal } from "./topologies.ts";
import { layersOfConfig, readConfig } from "./trtllm.ts";

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
    ...Object.values(mapNames).map((one) => Object.values(one)),
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
  const system = Object.values(mapNames)[one];
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
