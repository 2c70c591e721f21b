export const objectives = ["mean", "p95", "cvar"] as const;
/** Of the imbalances of many batches: their mean, their 95th percentile (nearest rank), or the mean of the worst twentieth (CVaR). @useDeclaredType */
export type Objective = (typeof objectives)[number];

/** Batches counted as the worst. */
const TAIL = 0.05;

export function ofValues(objective: Objective, values: Float64Array): number {
  const n = values.length;
  if (objective === "mean") return values.reduce((a, b) => a + b) / n;
  const sorted = values.slice().sort();
  if (objective === "p95") return sorted[Math.ceil((1 - TAIL) * n) - 1];
  const worst = sorted.subarray(n - Math.ceil(TAIL * n));
  return worst.reduce((a, b) => a + b) / worst.length;
}
