/** Whether a bound on time is proven, word for word as the rules have it: slow, and by itself. */
import type { ReplicaSolution } from "../../src/index.ts";
import { costOf, livingOf, type TimedProblem } from "./timed_problems.ts";

/** Sums of a few f64. */
const ROUNDING = 1e-11;

/** W_e: the least sum of c over whole splits of `load` tokens into at most `parts` parts, by a table of tokens and parts. */
export function leastWork({ cost }: Pick<TimedProblem, "cost">, load: number, parts: number): number {
  const time = costOf(cost);
  const c = Array.from({ length: load + 1 }, (_, x) => time(x));
  let least = c;
  for (let part = 1; part < parts; part++) {
    const fewer = least;
    least = fewer.map((_, x) => {
      let sum = Infinity;
      for (let y = 0; y <= x; y++) sum = Math.min(sum, c[y] + fewer[x - y]);
      return sum;
    });
  }
  return least[load];
}

/** Whether the bottleneck set S proves timeBound by the rule that the solution names. */
export function provesTimeBound(problem: TimedProblem, solution: ReplicaSolution, lp: number): boolean {
  const { timeBound, timeProof, bottleneck } = solution;
  if (!timeBound || !timeProof) return false;
  const { placement, baseLoad, speed, expertLoad } = problem;
  const { gpus, logicalExperts } = placement;
  const { alive, hosts } = livingOf(problem);
  const members = new Set(bottleneck[lp]);
  if (members.size === 0 || ![...members].every((g) => alive.includes(g))) return false;
  const base = (g: number) => baseLoad?.[lp * gpus + g] ?? 0;
  const v = (g: number) => speed?.[g] ?? 1;
  const load = (e: number) => expertLoad[lp * logicalExperts + e];
  const inside = [...hosts.keys()].filter((e) => hosts[e].length > 0 && hosts[e].every((g) => members.has(g)));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const { rule, unit } = timeProof[lp];
  const bound = timeBound[lp];
  if (rule === "work") {
    const terms = [...[...members].map(base), ...inside.map((e) => leastWork(problem, load(e), hosts[e].length))];
    const proven = bound * sum([...members].map(v));
    return proven <= sum(terms) + ROUNDING * (Math.abs(proven) + sum(terms.map(Math.abs)));
  }
  if (rule !== "units" || !(unit! > 0)) return false;
  return weighings(problem, Math.max(1, ...inside.map(load)), unit!).some((weight) =>
    outnumbered({ bound, unit: unit!, units: sum(inside.map((e) => weight(load(e)))) }, { alive, members, base, v }),
  );
}

/** How many units an expert weighs: what each of its tokens' splits really takes, whole units of it. */
function weighings({ cost }: TimedProblem, most: number, unit: number): ((x: number) => number)[] {
  const tile = ("model" in cost && cost.tile) || 1;
  const counts = [(x: number) => Math.min(x, 1), (x: number) => Math.ceil(x / tile)];
  const tokens = Array.from({ length: most + 1 }, (_, x) => x);
  const c = costOf(cost);
  return counts.filter((weight) => tokens.every((x) => unit * weight(x) <= c(x) * (1 + ROUNDING)));
}

interface Claim {
  bound: number;
  unit: number;
  units: number;
}
interface Gpus {
  alive: readonly number[];
  members: ReadonlySet<number>;
  base(g: number): number;
  v(g: number): number;
}

/**
 * Whether at each time below the bound either a GPU is not done with its base load, or the members have too few whole units of time for the units
 * that only they can serve. Their number changes only as one of them gets another unit: those times are all tried.
 */
function outnumbered({ bound, unit, units }: Claim, { alive, members, base, v }: Gpus): boolean {
  const free = Math.max(...alive.map((g) => base(g) / v(g)));
  const scale = Math.max(Math.abs(bound), ...alive.map((g) => Math.abs(base(g) / v(g))));
  const before = bound - ROUNDING * scale;
  if (free >= before) return true;
  const room = (t: number) => [...members].reduce((sum, g) => sum + Math.floor((v(g) * t - base(g)) / unit + 1e-9), 0);
  const times = [free];
  for (const g of members) {
    for (let k = 0; (base(g) + k * unit) / v(g) < before; k++) times.push((base(g) + k * unit) / v(g));
  }
  return times.every((t) => t < free || t >= before || room(t) < units);
}
