import type { Assignment } from "./bfio_assignment.ts";

/** Two of the k-th's worker, it and a later one, for the two that wait whose prompts together suit the worker best. */
export function exchangePair(a: Assignment, k: number): boolean {
  const { fill, envelope, chosen } = a;
  const { prompt, worker } = fill;
  const g = worker[chosen[k]];
  a.budget -= a.count;
  for (let l = k + 1; l < a.count; l++) {
    if (worker[chosen[l]] !== g) continue;
    a.budget -= fill.waiting + 5 * fill.ahead;
    const own = prompt[chosen[k]] + prompt[chosen[l]];
    envelope.measure(g);
    findPairs(a, own + envelope.peak(), own + fill.freeKv[g]);
    const best = bestPair(a, own);
    if (best < 0) continue;
    a.replace(k, a.pairs[best]);
    a.replace(l, a.pairs[best + 1]);
    return true;
  }
  return false;
}

/**
 * Of those that wait, the two with the largest sum of prompts up to the peak, and the two with the smallest sum beyond, into a.pairs; -1 where
 * there are none within the limit. From both ends of the window towards each other: O(|W|).
 */
function findPairs(a: Assignment, peak: number, limit: number): void {
  const { prompt, worker, waiting } = a.fill;
  const { pairs } = a;
  pairs.fill(-1);
  let below = Number.NEGATIVE_INFINITY;
  let above = Number.POSITIVE_INFINITY;
  let low = 0;
  let high = waiting - 1;
  while (low < high) {
    if (worker[low] >= 0) low++;
    else if (worker[high] >= 0) high--;
    else {
      const sum = prompt[low] + prompt[high];
      if (sum <= peak && sum <= limit) {
        if (sum > below) {
          below = sum;
          pairs[0] = low;
          pairs[1] = high;
        }
        low++;
      } else {
        if (sum < above && sum <= limit) {
          above = sum;
          pairs[2] = low;
          pairs[3] = high;
        }
        high--;
      }
    }
  }
}

/** Where in a.pairs the better pair begins, -1 if none is better than what there is. */
function bestPair({ fill, envelope, pairs, rounding }: Assignment, own: number): number {
  let most = envelope.gain(0) + rounding;
  let best = -1;
  for (let i = 0; i < 4; i += 2) {
    if (pairs[i] < 0) continue;
    const gain = envelope.gain(fill.prompt[pairs[i]] + fill.prompt[pairs[i + 1]] - own);
    if (gain <= most) continue;
    most = gain;
    best = i;
  }
  return best;
}
