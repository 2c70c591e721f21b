export interface Counts {
  /** [L, E] */
  counts: Int32Array;
  /** [L] ids that are neither an expert nor -1. */
  outOfRange: Int32Array;
}

/** Twin of shaders/balancer/count.wgsl: tokens per expert of `ids` [L, N]. As u32 ids, -1 may come as 2^32 - 1. */
export function count(ids: Int32Array | Uint32Array, layers: number, experts: number): Counts {
  const assignments = ids.length / layers;
  const counts = new Int32Array(layers * experts);
  const outOfRange = new Int32Array(layers);
  for (let layer = 0; layer < layers; layer++) {
    for (let i = layer * assignments; i < (layer + 1) * assignments; i++) {
      const e = ids[i] | 0;
      if (e >= 0 && e < experts) counts[layer * experts + e]++;
      else if (e !== -1) outOfRange[layer]++;
    }
  }
  return { counts, outOfRange };
}
