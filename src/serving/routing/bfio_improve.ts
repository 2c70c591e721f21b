import type { Assignment } from "./bfio_assignment.ts";

/** Loads looked at in one fill: some 50 us. */
const BUDGET = 60_000;

/** Less than this share of a gain's terms is taken for rounding, which could go round in circles. */
const ROUNDING = 1e-12;

/**
 * Exchanges that lower J, until none does or the budget is spent: a chosen request for one that waits, two between workers, and one that moves
 * to a worker with room. J falls by an exchange between workers only if it takes from a worker that is the most loaded at some step ahead.
 */
export function improve(a: Assignment): void {
  let budget = BUDGET;
  for (let changed = true; changed && budget > 0; ) {
    changed = false;
    for (let k = 0; k < a.count && budget > 0; k++) {
      if (a.count < a.fill.waiting) {
        if (tryReplacing(a, k)) changed = true;
        budget -= 5 * a.fill.ahead;
      }
      if (!a.envelope.isTop(a.fill.worker[a.chosen[k]])) continue;
      if (tryPassing(a, k)) changed = true;
      budget -= (a.count + a.fill.workers) * a.fill.ahead;
    }
  }
}

function tryReplacing(a: Assignment, k: number): boolean {
  const { fill, envelope } = a;
  const { prompt } = fill;
  const own = prompt[a.chosen[k]];
  const g = fill.worker[a.chosen[k]];
  envelope.measure(g);
  const peak = own + envelope.peak();
  const limit = own + fill.freeKv[g];
  let best = -1;
  let most = envelope.gain(0);
  most += ROUNDING * (Math.abs(most) + fill.totalWeight * own);
  const below = a.below(Math.min(peak, limit));
  if (below >= 0) {
    const gain = envelope.gain(prompt[below] - own);
    if (gain > most) {
      best = below;
      most = gain;
    }
  }
  const above = peak < limit ? a.above(peak) : -1;
  if (above >= 0 && prompt[above] <= limit && envelope.gain(prompt[above] - own) > most) best = above;
  if (best < 0) return false;
  a.replace(k, best);
  return true;
}

/** The k-th chosen request, of a worker that is the most loaded somewhere, against any smaller one, or to any room. */
function tryPassing(a: Assignment, k: number): boolean {
  const { fill, envelope, chosen } = a;
  const { prompt, worker, room, freeKv, workers } = fill;
  const p = chosen[k];
  const e = worker[p];
  let best = -1;
  let most = ROUNDING * fill.beta * fill.totalWeight * prompt[p];
  for (let i = 0; i < a.count; i++) {
    const q = chosen[i];
    const g = worker[q];
    const less = prompt[p] - prompt[q];
    if (g === e || less <= 0 || less > freeKv[g]) continue;
    const gain = envelope.gainOfPassing(e, g, less, 0);
    if (gain > most) {
      most = gain;
      best = i;
    }
  }
  let to = -1;
  for (let g = 0; g < workers; g++) {
    if (g === e || room[g] <= 0 || prompt[p] + 1 > freeKv[g]) continue;
    const gain = envelope.gainOfPassing(e, g, prompt[p], 1);
    if (gain > most) {
      most = gain;
      to = g;
    }
  }
  if (to >= 0) a.move(p, to);
  else if (best >= 0) a.swap(p, chosen[best]);
  return to >= 0 || best >= 0;
}
