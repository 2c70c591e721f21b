/** The least time over all whole splits of somewhat larger problems, by branch and bound. Shares nothing with the solvers, nor with brute force. */
import { costOf, livingOf, type TimedProblem } from "./timed_problems.ts";

/** What a split of an expert takes of each of its GPUs, those that another one undercuts everywhere left out. */
interface Choice {
  gpus: number[];
  takes: number[][];
  /** The least that it takes in all. */
  work: number;
}

/** A search that is this long was given too large a problem. */
const MOST_NODES = 20_000_000;

export function leastTimeByBounds(problem: TimedProblem, lp: number): number {
  const { placement, expertLoad, baseLoad, speed } = problem;
  const { alive, hosts } = livingOf(problem);
  const { gpus, logicalExperts } = placement;
  const choices = hosts
    .map((own, e) => choiceOf(problem, own, expertLoad[lp * logicalExperts + e]))
    .filter(({ takes }) => takes.length > 0)
    .sort((a, b) => a.gpus.length - b.gpus.length || b.work - a.work);
  const sets = setsOf(alive);
  // [depth][set] what the experts still to come take at least of the set, since they live nowhere else.
  const inside = [...choices.keys(), choices.length].map((from) =>
    sets.map((set) =>
      choices.slice(from).reduce((sum, { gpus, work }) => sum + (gpus.every((g) => set.includes(g)) ? work : 0), 0),
    ),
  );
  const v = (g: number) => speed?.[g] ?? 1;
  const setSpeed = sets.map((set) => set.reduce((sum, g) => sum + v(g), 0));
  const spent = Array.from({ length: gpus }, (_, g) => baseLoad?.[lp * gpus + g] ?? 0);
  const bound = (depth: number) =>
    Math.max(...sets.map((set, i) => (set.reduce((sum, g) => sum + spent[g], 0) + inside[depth][i]) / setSpeed[i]));
  let best = Infinity;
  let nodes = 0;

  const search = (depth: number) => {
    if (++nodes > MOST_NODES) throw new Error(`LP ${lp}: more than ${MOST_NODES} nodes.`);
    if (depth === choices.length) {
      best = Math.min(best, Math.max(...alive.map((g) => spent[g] / v(g))));
      return;
    }
    const { gpus: own, takes } = choices[depth];
    const before = own.map((g) => spent[g]);
    const put = (take?: readonly number[]) => {
      own.forEach((g, i) => {
        spent[g] = before[i] + (take?.[i] ?? 0);
      });
    };
    const promising = takes.map((take) => {
      put(take);
      return { take, bound: bound(depth + 1) };
    });
    for (const next of promising.sort((a, b) => a.bound - b.bound)) {
      if (next.bound >= best) break;
      put(next.take);
      search(depth + 1);
    }
    put();
  };
  if (bound(0) < best) search(0);
  return best;
}

function choiceOf({ cost }: TimedProblem, own: readonly number[], load: number): Choice {
  const c = costOf(cost);
  const gpus = [...new Set(own)];
  const takes = new Map<string, number[]>();
  const tokens: number[] = [];
  const list = (left: number) => {
    if (tokens.length < own.length - 1) {
      for (let some = 0; some <= left; some++) {
        tokens.push(some);
        list(left - some);
        tokens.pop();
      }
      return;
    }
    const all = [...tokens, left];
    const take = gpus.map((g) => own.reduce((sum, host, i) => sum + (host === g ? c(all[i]) : 0), 0));
    takes.set(take.join(), take);
  };
  if (own.length > 0) list(load);
  const undercut = (a: readonly number[], b: readonly number[]) => b !== a && b.every((time, i) => time <= a[i]);
  const all = [...takes.values()];
  const kept = all.filter((take) => !all.some((other) => undercut(take, other)));
  return { gpus, takes: kept, work: Math.min(...kept.map((take) => take.reduce((a, b) => a + b))) };
}

/** Every set of GPUs but the empty one. */
function setsOf(alive: readonly number[]): number[][] {
  return Array.from({ length: 2 ** alive.length - 1 }, (_, i) => alive.filter((_, bit) => ((i + 1) >> bit) & 1));
}
