import { shares } from "../balancer/twins/shares.ts";
import { LoadError, ShapeError } from "../common/errors.ts";
import { flat, type Rows } from "../common/numbers.ts";
import { requireEqualLengths, requireList } from "./maps.ts";
import { EMPTY, type Placement, type PlacementLike, requireLayers } from "./placement.ts";

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
  const width = widthOf(placements);
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

/** X, the most slots of any expert in any layer. */
export function widthOf(placements: readonly Placement[]): number {
  return placements.reduce((most, { maxReplicas }) => Math.max(most, maxReplicas), 0);
}

/**
 * Checks log2phy_prob [L, E, copies], whose columns are the slots of `slotsOf`, and brings it to the order of `logicalToPhysical`.
 *
 * @returns [L, E, X], X the most slots of any expert.
 */
export function readShares(
  name: string,
  value: unknown,
  slotsOf: readonly (readonly number[][])[],
  placements: readonly Placement[],
): Float32Array {
  const layers = requireList(name, value, "with a row per layer");
  if (layers.length !== placements.length) throw new ShapeError(name, `${placements.length} layers`, layers.length);
  const width = widthOf(placements);
  const { logicalExperts: experts } = placements[0];
  const result = new Float32Array(placements.length * experts * width);
  for (const [layer, { logicalToPhysical, maxReplicas }] of placements.entries()) {
    const rows = requireList(`${name}[${layer}]`, layers[layer], "with a row per expert");
    if (rows.length !== experts) throw new ShapeError(`${name}[${layer}]`, `E = ${experts} rows`, rows.length);
    const lists = Array.from(rows, (row, e) => requireList(`${name}[${layer}][${e}]`, row, "of shares"));
    requireEqualLengths(`${name}[${layer}]`, lists);
    for (const [e, list] of lists.entries()) {
      const slots = slotsOf[layer][e];
      const path = `${name}[${layer}][${e}]`;
      if (list.length < slots.length) {
        throw new ShapeError(path, `${slots.length} shares or more, one per slot`, list.length);
      }
      const ascending = logicalToPhysical.subarray(e * maxReplicas, (e + 1) * maxReplicas);
      for (let i = 0; i < list.length; i++) {
        const share = list[i];
        if (typeof share !== "number" || !(share >= 0 && share <= MAX_SHARE)) {
          throw new LoadError(`${path}[${i}]`, "a finite number >= 0", share);
        }
        if (i < slots.length) {
          result[(layer * experts + e) * width + ascending.indexOf(slots[i])] = share;
        } else if (share !== 0) {
          throw new LoadError(`${path}[${i}]`, `0, because the expert has ${slots.length} slots`, share);
        }
      }
    }
  }
  return result;
}

/** No sum of them overflows f32. */
const MAX_SHARE = 1e30;
