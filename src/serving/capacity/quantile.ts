/** A percentile of at least one value, linear between the two beside it, as in `Spread`. */
export function quantile(values: readonly number[], percentile: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = (percentile / 100) * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
