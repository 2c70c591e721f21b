import { LoadError, ShapeError } from "../common/errors.ts";
import { requireEqualLengths, requireList } from "./maps.ts";
import { widestReplica } from "./per_layer.ts";
import type { Placement } from "./placement.ts";

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
  const width = widestReplica(placements);
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
