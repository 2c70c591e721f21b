import { gapPrices } from "./gap_prices.ts";
import type { Reuses } from "./reuses.ts";

/**
 * Prices window by window, each the best for its gaps with the prices outside as they are: a reuse that begins or ends outside has what these leave of its cost.
 *
 * @param prices  [n] to begin with; read.
 * @param offset  requests before the first whole window; 0 or less than a window.
 * @returns [n] after yielding the share that is done.
 */
export function* pricedInWindows(
  reuses: Reuses,
  prices: Float64Array,
  capacity: number,
  window: number,
  offset: number,
): Generator<number, Float64Array> {
  const n = prices.length;
  const out = prices.slice();
  const before = new Float64Array(n + 1); // of the gaps before a request
  for (let t = 0; t < n; t++) before[t + 1] = before[t] + prices[t];
  for (let low = offset > 0 ? offset - window : 0; low < n; low += window) {
    const from = Math.max(0, low);
    const end = Math.min(n - 1, low + window);
    if (end <= from) continue;
    const steps = gapPrices(within(reuses, before, from, end), end - from + 1, capacity);
    let step = steps.next();
    for (; !step.done; step = steps.next()) yield (from + step.value * (end - from)) / n;
    out.set(step.value.prices.subarray(0, end - from), from);
    // Sums beyond stay those of the prices as they were: it is their differences that count there.
    for (let t = from; t < end; t++) before[t + 1] = before[t] + out[t];
  }
  return out;
}

/** Those that span gaps of the window, cut to it, where the prices outside leave something of their cost. */
function within({ first, last, size, cost }: Reuses, before: Float64Array, from: number, end: number): Reuses {
  const rest = new Float64Array(size.length);
  const numbers: number[] = [];
  for (let j = 0; j < size.length; j++) {
    if (last[j] <= from || first[j] >= end) continue;
    const left = first[j] < from ? before[from] - before[first[j]] : 0;
    const right = last[j] > end ? before[last[j]] - before[end] : 0;
    rest[j] = cost[j] - size[j] * (left + right);
    if (rest[j] > 0) numbers.push(j);
  }
  return {
    first: Int32Array.from(numbers, (j) => Math.max(first[j], from) - from),
    last: Int32Array.from(numbers, (j) => Math.min(last[j], end) - from),
    size: Float64Array.from(numbers, (j) => size[j]),
    cost: Float64Array.from(numbers, (j) => rest[j]),
  };
}
