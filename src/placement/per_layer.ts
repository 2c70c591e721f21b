/** Of a list with one for all layers, or one per layer, that of a layer. */
export function ofLayer<T>(list: readonly T[], layer: number): T {
  return list[layer % list.length];
}

/** The row of a layer of values [L, width], as a view. */
export function rowOf<T extends Int32Array | Uint32Array | Uint8Array | Float64Array>(
  values: T,
  width: number,
  layer: number,
): T {
  return values.subarray(layer * width, (layer + 1) * width) as T;
}

/** X, the most slots of any expert in any layer. */
export function widestReplica(placements: readonly { readonly maxReplicas: number }[]): number {
  return placements.reduce((most, { maxReplicas }) => Math.max(most, maxReplicas), 0);
}
