import { LoadError, ShapeError } from "../common/errors.ts";
import { flat, type Rows } from "../common/numbers.ts";
import { requireList } from "../placement/maps.ts";
import { widestReplica } from "../placement/per_layer.ts";
import { EMPTY, type PlacementLike, requireLayers } from "../placement/placement.ts";
import { shares } from "./twins/shares.ts";

/**
 * The quotas of a solve as SGLang's log2phy_prob: the share of each expert's tokens that goes to each of its slots.
 *
 *   prob[l][e][i] = quota[l, slot i of e] / (sum of the quotas of e);   1 / (slots of e) where e has no tokens;   0 for padding
 *
 * Slots are in the order of `placementMaps`. Lost experts have 0 everywhere. Values are f32, rounded once: `torch.tensor(prob[layer])` keeps them.
 *
 * @param layerPlacements  one per layer, all of the same sizes.
 * @param quota  [L, P] tokens per slot, flat or in L rows, as a solution or a balanced batch has it; finite and >= 0. Read, never written or kept.
 * @returns [L][E][X], X the most slots of any expert.
 * @throws {ShapeError | ArgumentError | LoadError} A length or a quota is not as it should be.
 */
export function quotaToShares(layerPlacements: readonly PlacementLike[], quota: Rows): number[][][] {
  const placements = requireLayers(layerPlacements);
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const layers = placements.length;
  requireList("quota", quota, "of numbers");
  const { values: given, path } = flat("quota", quota, { P: slots });
  if (given.length !== layers * slots) {
    throw new ShapeError("quota", `L * P = ${layers} * ${slots} = ${layers * slots} values`, given.length);
  }
  for (let i = 0; i < given.length; i++) {
    if (typeof given[i] !== "number" || !(given[i] >= 0 && given[i] <= MAX_QUOTA)) {
      throw new LoadError(path(i), "a finite number >= 0", given[i]);
    }
    if (given[i] > 0 && placements[Math.floor(i / slots)].physicalToLogical[i % slots] === EMPTY) {
      throw new LoadError(path(i), "0 in an empty slot", given[i]);
    }
  }
  const width = widestReplica(placements);
  return placements.map((placement, layer) => {
    const row = Array.from({ length: slots }, (_, slot) => given[layer * slots + slot]);
    const tokens = new Float64Array(experts);
    for (const [slot, e] of placement.physicalToLogical.entries()) if (e !== EMPTY) tokens[e] += row[slot];
    const flat = shares(placement, tokens, row, width);
    return Array.from({ length: experts }, (_, e) => [...flat.subarray(e * width, (e + 1) * width)]);
  });
}

/** No sum of them overflows. */
const MAX_QUOTA = 1e300;
