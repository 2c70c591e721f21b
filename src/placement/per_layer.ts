/** Of a list with one for all layers, or one per layer, that of a layer. */
export function ofLayer<T>(list: readonly T[], layer: number): T {
  return list[layer % list.length];
}

/** X, the most slots of any expert in any layer. */
export function widestReplica(placements: readonly { readonly maxReplicas: number }[]): number {
  return placements.reduce((most, { maxReplicas }) => Math.max(most, maxReplicas), 0);
}
