import type { Assignment } from "./bfio_assignment.ts";
import { exchangePair } from "./bfio_pairs.ts";

/** Loads and prompts looked at in one fill, some 100 us at most; a typical fill is done long before. */
const BUDGET = 100_000;

/**
 * Exchanges that lower J, until none does or the budget is spent: a chosen request for one that waits, two between workers, one that moves to a
 * worker with room, and, where none of these helps, two of a worker's for two that wait.
 */
export function improve(a: Assignment): void {
  a.budget = BUDGET;
  const some = a.fill.waiting > a.count;
  for (let changed = true; changed && a.budget > 0; ) {
    changed = false;
    for (let k = 0; k < a.count && a.budget > 0; k++) {
      if (some && exchange(a, k)) changed = true;
      if (pass(a, k)) changed = true;
    }
    if (changed || !some) continue;
    for (let k = 0; k < a.count && a.budget > 0; k++) if (exchangePair(a, k)) changed = true;
  }
}

/** The k-th of the chosen for the one that waits whose prompt suits its worker best: next to the peak of F, which is concave. */
function exchange(a: Assignment, k: number): boolean {
  const { fill, envelope } = a;
  const { prompt } = fill;
  const own = prompt[a.chosen[k]];
  const g = fill.worker[a.chosen[k]];
  a.budget -= 5 * fill.ahead;
  envelope.measure(g);
  const peak = own + envelope.peak();
  const limit = own + fill.freeKv[g];
  let most = envelope.gain(0) + a.rounding;
  let best = -1;
  const below = a.below(Math.min(peak, limit));
  if (below >= 0) {
    const gain = envelope.gain(prompt[below] - own);
    if (gain > most) {
      most = gain;
      best = below;
    }
  }
  const above = peak < limit ? a.above(peak) : -1;
  if (above >= 0 && prompt[above] <= limit && envelope.gain(prompt[above] - own) > most) best = above;
  if (best < 0) return false;
  a.replace(k, best);
  return true;
}

/**
 * The k-th of the chosen for a smaller one of another worker's, or into another's room. What is passed on leaves the sum of loads as it is, so
 * that J falls only if it takes from a worker that is the most loaded at some step ahead.
 */
function pass(a: Assignment, k: number): boolean {
  const { fill, envelope, chosen } = a;
  const { prompt, worker, room, freeKv, workers } = fill;
  const p = chosen[k];
  const e = worker[p];
  if (!envelope.isTop(e)) return false;
  a.budget -= (a.count + workers) * fill.ahead;
  let most = a.rounding;
  let partner = -1;
  for (let i = 0; i < a.count; i++) {
    const q = chosen[i];
    const less = prompt[p] - prompt[q];
    if (worker[q] === e || less <= 0 || less > freeKv[worker[q]]) continue;
    const gain = envelope.gainOfPassing(e, worker[q], less, 0);
    if (gain <= most) continue;
    most = gain;
    partner = q;
  }
  let to = -1;
  for (let g = 0; g < workers; g++) {
    if (g === e || room[g] <= 0 || prompt[p] + 1 > freeKv[g]) continue;
    const gain = envelope.gainOfPassing(e, g, prompt[p], 1);
    if (gain <= most) continue;
    most = gain;
    to = g;
  }
  if (to >= 0) a.move(p, to);
  else if (partner >= 0) a.swap(p, partner);
  return to >= 0 || partner >= 0;
}
