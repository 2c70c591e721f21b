/** Twin of shaders/balancer/source_starts.wgsl: of tokens bySource [L, S, E] those that earlier sources have, [L, S, E], and all of them, [L, E]. */
export function sourceStarts(bySource: Int32Array, layers: number, sources: number, experts: number) {
  const start = new Int32Array(bySource.length);
  const counts = new Int32Array(layers * experts);
  for (let i = 0; i < bySource.length; i++) {
    const e = Math.floor(i / (sources * experts)) * experts + (i % experts);
    start[i] = counts[e];
    counts[e] += bySource[i];
  }
  return { start, counts };
}
