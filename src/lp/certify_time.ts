/** The proof of a time, checked by itself: from the problem's own cost, with no code of the solvers'. */
import type { ReplicaSolution } from "./solution.ts";
import type { ExpertCost } from "./time/expert_cost.ts";

/** One LP, from the form it was given in. */
export interface TimedClaims {
  cost: ExpertCost;
  speed: readonly number[];
  alive: readonly boolean[];
  /** [G] time besides the experts', 0 where a GPU is dead. */
  base: readonly number[];
  /** [E] tokens, and slots on living GPUs. */
  tokens: readonly number[];
  copies: readonly number[];
  /** Tokens and GPU of each living slot. */
  slots: readonly { gpu: number; tokens: number }[];
  /** Experts that live only in the bottleneck set. */
  inside: readonly number[];
  member: readonly boolean[];
}

/** Sums of f64 carry rounding errors of this order, relative to the times involved. */
const ROUNDING = 1e-11;
const TIME_OPTIMAL = 1e-9;

/** Whether times are what the quotas give, whether the bottleneck set proves timeBound, and what status that makes. */
export function certifyTime(claims: TimedClaims, solution: ReplicaSolution, lp: number) {
  const { cost, speed, alive, base, slots } = claims;
  const c = costOf(cost);
  const load = base.slice();
  for (const { gpu, tokens } of slots) load[gpu] += c(tokens);
  const size = (g: number) => (Math.abs(base[g]) + Math.abs(load[g])) / speed[g];
  const near = (a: number, b: number, scale: number) => Math.abs(a - b) <= ROUNDING * scale;
  const maxTime = solution.maxTime![lp];
  const timeBound = solution.timeBound![lp];
  const scale = Math.max(...load.map((_, g) => (alive[g] ? size(g) : 0)));
  const last = Math.max(...load.map((time, g) => (alive[g] ? time / speed[g] : -Infinity)));
  let timeTrue = near(last, maxTime, scale);
  for (let g = 0; g < speed.length; g++) {
    timeTrue &&= near(alive[g] ? load[g] / speed[g] : 0, solution.time![lp * speed.length + g], size(g));
  }
  const proof = solution.timeProof![lp];
  const before = timeBound - ROUNDING * Math.max(scale, Math.abs(timeBound));
  const timeBoundValid =
    Number.isFinite(timeBound) &&
    (proof?.rule === "units"
      ? unitsProve(claims, proof.unit, before)
      : proof?.rule === "work" && workProves(claims, before));
  const largest = Math.max(Math.abs(maxTime), Math.abs(timeBound));
  const gap = maxTime === timeBound ? 0 : (maxTime - timeBound) / largest;
  const closed: "optimal" | "gap" = gap <= TIME_OPTIMAL ? "optimal" : "gap";
  return { timeTrue, timeBoundValid, closed, claimed: gap >= 0 && solution.timeGap![lp] === gap };
}

/** S needs at least `time` for what its experts cost at least. */
function workProves({ cost, speed, base, tokens, copies, inside, member }: TimedClaims, time: number): boolean {
  const c = costOf(cost);
  const points = "model" in cost ? [] : pointsOf(cost);
  let work = 0;
  for (const e of inside) work += points.length === 0 ? c(tokens[e]) : leastSum(c, points, tokens[e], copies[e]);
  let rate = 0;
  for (let g = 0; g < speed.length; g++) {
    if (!member[g]) continue;
    rate += speed[g];
    work += base[g];
  }
  return time * rate <= work + ROUNDING * Math.abs(work);
}

/** Before `time` some GPU is not done with what it does besides, or those of S have done fewer units than they must. */
function unitsProve(
  { cost, speed, alive, base, tokens, inside, member }: TimedClaims,
  unit: unknown,
  time: number,
): boolean {
  if (typeof unit !== "number" || !(unit > 0)) return false;
  const unitsOf = unitCounts(cost, unit);
  if (!unitsOf) return false;
  if (speed.some((v, g) => alive[g] && v * time <= base[g])) return true;
  let done = 0;
  for (let g = 0; g < speed.length; g++) if (member[g]) done += Math.floor((speed[g] * time - base[g]) / unit);
  return done < inside.reduce((sum, e) => sum + unitsOf(tokens[e]), 0);
}

/** How many units an expert's tokens are at least, if so large a unit may be counted: c(x) >= unit * n(x). */
function unitCounts(cost: ExpertCost, unit: number): ((tokens: number) => number) | undefined {
  const atMost = (time: number) => unit <= time * (1 + ROUNDING);
  if ("model" in cost) {
    const tile = cost.tile ?? 1;
    if (atMost(cost.perToken * tile)) return (tokens) => Math.ceil(tokens / tile);
  } else {
    const last = cost.tokens.length - 1;
    const slope = (cost.time[last] - cost.time[last - 1]) / (cost.tokens[last] - cost.tokens[last - 1]);
    if (atMost(slope) && Array.from(cost.tokens).every((x, i) => unit * x <= cost.time[i] * (1 + ROUNDING))) {
      return (tokens) => tokens;
    }
  }
  return atMost(costOf(cost)(1)) ? (tokens) => (tokens > 0 ? 1 : 0) : undefined;
}

/** c(x) */
function costOf(cost: ExpertCost): (tokens: number) => number {
  if ("model" in cost) {
    const { model, perExpert, perToken, tile = 1 } = cost;
    return (tokens) => {
      if (tokens === 0) return 0;
      const computed = perToken * tile * Math.ceil(tokens / tile);
      return model === "roofline" ? Math.max(perExpert, computed) : perExpert + computed;
    };
  }
  const { tokens: xs, time } = cost;
  return (tokens) => {
    let i = 0; // the piece that ends in point i
    while (i < xs.length - 1 && xs[i] < tokens) i++;
    const [x, t] = i === 0 ? [0, 0] : [xs[i - 1], time[i - 1]];
    return xs[i] === x ? t : t + ((tokens - x) * (time[i] - t)) / (xs[i] - x);
  };
}

/** Whole tokens at which a measured curve turns. */
function pointsOf({ tokens }: { tokens: ArrayLike<number> }): number[] {
  const turns = [1, ...Array.from(tokens).flatMap((x) => [Math.floor(x), Math.ceil(x)])];
  return [...new Set(turns)].filter((x) => x > 0);
}

/** Parts that are looked for among all; what is left for more costs at least its tokens at the best rate. */
const PARTS = 3;

/** The least sum of c over at most `parts` parts: all but one at points, or tokens could move between two of them at no loss. */
function leastSum(c: (x: number) => number, points: readonly number[], w: number, parts: number, looked = 1): number {
  if (w === 0 || parts === 1) return c(w);
  if (looked === PARTS) return w * Math.min(c(w) / w, ...points.filter((x) => x <= w).map((x) => c(x) / x));
  const others = points.filter((x) => x < w);
  return Math.min(c(w), ...others.map((x) => c(x) + leastSum(c, points, w - x, parts - 1, looked + 1)));
}
