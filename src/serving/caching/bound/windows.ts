import { provenCost } from "./certify_cache_bound.ts";
import { gapPrices } from "./gap_prices.ts";
import type { Reuses } from "./reuses.ts";

/** Gaps from `from` to `end` - 1. */
interface Window {
  from: number;
  end: number;
}

/** Prices with what they prove. */
export interface ProvenPrices {
  cost: number;
  prices: Float64Array;
}

/** A pass that gains less of the cost is the last. */
const LEAST_GAIN = 2 ** -10;

/**
 * Prices of a long trace, found window by window, each with those of all others as they are: what a reuse's gaps outside the window leave of its cost is
 * what it is worth inside. Prices to the right of a window are not known yet in the first pass, in which such a reuse is worth there what its gaps there are
 * of all that it still has to come through. Then the prices half a window's width around each border are found anew, then those of the windows, and so on.
 * No pass makes the bound worse.
 *
 * @param costs  [n] of misses.
 * @returns prices [n] and what they prove, after yielding the share that is done.
 */
export function* windowedPrices(
  costs: Float64Array,
  reuses: Reuses,
  capacity: number,
  window: number,
): Generator<number, ProvenPrices> {
  const n = costs.length;
  let prices: Float64Array = new Float64Array(n);
  let cost = provenCost(costs, reuses, capacity, prices);
  for (let pass = 0; ; pass++) {
    const windows = pass % 2 === 0 ? consecutive(n, window) : aroundBorders(n, window);
    const steps = onePass(reuses, prices, capacity, windows, pass === 0);
    let step = steps.next();
    for (; !step.done; step = steps.next()) yield 1 - 2 ** -pass * (1 - step.value / 2);
    const proven = provenCost(costs, reuses, capacity, step.value);
    if (proven <= cost) return { cost, prices };
    const gain = proven - cost;
    prices = step.value;
    cost = proven;
    if (pass > 0 && gain < LEAST_GAIN * cost) return { cost, prices };
  }
}

function consecutive(n: number, window: number): Window[] {
  return Array.from({ length: Math.ceil((n - 1) / window) }, (_, i) => ({
    from: i * window,
    end: Math.min(n - 1, (i + 1) * window),
  }));
}

function aroundBorders(n: number, window: number): Window[] {
  const half = Math.ceil(window / 4);
  return consecutive(n, window)
    .slice(1)
    .map(({ from }) => ({ from: from - half, end: Math.min(n - 1, from + half) }));
}

function* onePass(
  reuses: Reuses,
  old: Float64Array,
  capacity: number,
  windows: readonly Window[],
  isFirst: boolean,
): Generator<number, Float64Array> {
  const { first, last } = reuses;
  const n = old.length;
  const prices = old.slice();
  const before = sums(prices);
  const startsAt = new Int32Array(n).fill(-1);
  for (let j = 0; j < first.length; j++) startsAt[first[j]] = j;
  let open: number[] = []; // reuses that have begun and come past the window, or into it
  let begun = 0;
  for (const [i, { from, end }] of windows.entries()) {
    for (; begun < end; begun++) if (startsAt[begun] >= 0) open.push(startsAt[begun]);
    open = open.filter((j) => last[j] > from);
    const part = within(reuses, open, before, { from, end }, isFirst);
    const steps = gapPrices(part, end - from + 1, capacity);
    let step = steps.next();
    for (; !step.done; step = steps.next()) yield (i + step.value) / windows.length;
    prices.set(step.value.prices.subarray(0, end - from), from);
    // Sums to the left of the next window are true, and differences of those to its right.
    const next = i + 1 < windows.length ? windows[i + 1].from : n;
    for (let t = from; t < next; t++) before[t + 1] = before[t] + prices[t];
    yield (i + 1) / windows.length;
  }
  return prices;
}

/** [n + 1] prices of the gaps before each request. */
function sums(prices: Float64Array): Float64Array {
  const before = new Float64Array(prices.length + 1);
  for (let t = 0; t < prices.length; t++) before[t + 1] = before[t] + prices[t];
  return before;
}

/** What reuses are in a window and worth there, its first request being 0. */
function within(
  { first, last, size, cost }: Reuses,
  candidates: readonly number[],
  before: Float64Array,
  { from, end }: Window,
  isFirst: boolean,
): Reuses {
  const worth = (j: number) => {
    const enters = Math.max(first[j], from);
    const leaves = Math.min(last[j], end);
    const rest = cost[j] - size[j] * (before[enters] - before[first[j]]);
    if (isFirst) return (rest * (leaves - enters)) / (last[j] - enters);
    return rest - size[j] * (before[last[j]] - before[leaves]);
  };
  const inside = Int32Array.from(candidates.filter((j) => worth(j) > 0));
  const of = (value: (j: number) => number) => Float64Array.from(inside, value);
  return {
    first: inside.map((j) => Math.max(first[j], from) - from),
    last: inside.map((j) => Math.min(last[j], end) - from),
    size: of((j) => size[j]),
    cost: of(worth),
  };
}
