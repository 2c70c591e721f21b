/** The least time over all whole splits, by listing them. */
import { costOf, livingOf, type TimedProblem } from "./timed_problems.ts";

/**
 *   min max_g (base_g + sum over the GPU's slots of c(quota)) / speed_g      over living GPUs
 *
 * An expert after the other is shared out in every way; a way is left only where a GPU is done no sooner than in the best so far, since what follows
 * takes time from none.
 */
export function leastTime(problem: TimedProblem, lp: number): number {
  const { placement, cost, expertLoad, baseLoad, speed } = problem;
  const { gpus, logicalExperts } = placement;
  const c = costOf(cost);
  const { alive, hosts } = livingOf(problem);
  const spent = Array.from({ length: gpus }, (_, g) => baseLoad?.[lp * gpus + g] ?? 0);
  const served = [...hosts.keys()].filter((e) => hosts[e].length > 0);
  const doneAt = (g: number) => spent[g] / (speed?.[g] ?? 1);
  let best = Infinity;

  const share = (i: number, slot: number, left: number) => {
    if (i === served.length) {
      best = Math.min(best, Math.max(...alive.map(doneAt)));
      return;
    }
    const own = hosts[served[i]];
    const last = slot === own.length - 1;
    const g = own[slot];
    const before = spent[g];
    for (let tokens = last ? left : 0; tokens <= left; tokens++) {
      spent[g] = before + c(tokens);
      if (doneAt(g) >= best) break;
      if (last) share(i + 1, 0, i + 1 < served.length ? loadOf(i + 1) : 0);
      else share(i, slot + 1, left - tokens);
    }
    spent[g] = before;
  };
  const loadOf = (i: number) => expertLoad[lp * logicalExperts + served[i]];
  share(0, 0, served.length > 0 ? loadOf(0) : 0);
  return best;
}
