/** Twin of shaders/balancer/offsets.wgsl: `chunkCounts` [L, C, E] becomes, in place, what comes before each chunk, starting from `before` [L, E]. */
export function offsets(before: ArrayLike<number>, chunkCounts: Uint32Array, layers: number, experts: number): void {
  const chunks = chunkCounts.length / (layers * experts);
  for (let layer = 0; layer < layers; layer++) {
    for (let e = 0; e < experts; e++) {
      let sum = before[layer * experts + e];
      for (let chunk = 0; chunk < chunks; chunk++) {
        const i = (layer * chunks + chunk) * experts + e;
        const here = chunkCounts[i];
        chunkCounts[i] = sum;
        sum += here;
      }
    }
  }
}
