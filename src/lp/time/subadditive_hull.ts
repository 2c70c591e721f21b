import { type CurveCost, checkCost } from "./expert_cost.ts";

/** Of sums of times; checkCost allows more. */
const ROUNDING = 1e-13;

/**
 * A subadditive curve nowhere above the given one, c, in whole tokens. Up to N tokens it is the largest there is,
 *
 *   s(n) = min { c(n_1) + ... + c(n_k) : n_1 + ... + n_k = n },
 *
 * and beyond N it goes on with slope m, the least that c comes to per token anywhere: m = min(c's last slope, min c(n) / n). N is where s(n) - m n is
 * least between the last point of c and twice as far; since s(n) - m n only falls when a part is taken off n, s is above that line from there on.
 *
 * @returns c itself where c is subadditive.
 */
export function subadditiveHull(cost: CurveCost): CurveCost {
  const { time, points, slope, subadditive } = checkCost(cost);
  if (subadditive) return cost;
  const [end] = points[points.length - 1];
  const least = new Float64Array(2 * end + 1);
  for (let n = 1; n <= 2 * end; n++) {
    // Between points c is linear: tokens go from one part to another without loss until all parts but one are points.
    let best = time(n);
    for (const [part, own] of points) {
      if (part >= n) break;
      best = Math.min(best, own + least[n - part]);
    }
    least[n] = best;
  }
  const pace = points.reduce((m, [x, own]) => Math.min(m, own / x), slope);
  let last = end;
  for (let n = end; n <= 2 * end; n++) if (least[n] - pace * n <= least[last] - pace * last) last = n;
  const tokens = corners(least, last);
  const times = tokens.map((n) => least[n]);
  return { tokens: [...tokens, 2 * last], time: [...times, least[last] + pace * last] };
}

/** Whole numbers from 1 to `last`, both included, between which the values are linear, to rounding. */
function corners(values: Float64Array, last: number): number[] {
  const found = [1];
  // Slopes of lines from the last corner that pass all values since.
  let [low, high] = [-Infinity, Infinity];
  for (let n = 2; n <= last; n++) {
    const slope = (from: number, tolerance: number) => (values[n] + tolerance - values[from]) / (n - from);
    const straight = slope(found[found.length - 1], 0);
    if (straight < low || straight > high) {
      found.push(n - 1);
      [low, high] = [-Infinity, Infinity];
    }
    const corner = found[found.length - 1];
    low = Math.max(low, slope(corner, -ROUNDING * values[n]));
    high = Math.min(high, slope(corner, ROUNDING * values[n]));
  }
  found.push(last);
  return found;
}
