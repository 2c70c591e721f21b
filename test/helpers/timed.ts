/** Small problems of time, brute force for them, and what a proof of one says, word for word. Nothing here is shared with the solvers. */
import type { Random } from "../../src/common/random.ts";
import type { ExpertCost, PlacementLike, ReplicaProblem, TimedSolution } from "../../src/index.ts";

/** A placement as a map, loads and bases as plain numbers. */
export type TimedProblem = ReplicaProblem & {
  placement: { gpus: number; physicalToLogical: number[] } & PlacementLike;
  expertLoad: number[];
  baseLoad?: number[];
  speed?: number[];
  active?: number[];
  cost: ExpertCost;
};

/** c(x), as the types' comments state it. */
export function costOf(cost: ExpertCost): (x: number) => number {
  if ("model" in cost) {
    const { model, perExpert, perToken, tile = 1 } = cost;
    const whole = (x: number) => tile * Math.ceil(x / tile);
    if (model === "affine") return (x) => (x === 0 ? 0 : perExpert + perToken * whole(x));
    return (x) => (x === 0 ? 0 : Math.max(perExpert, perToken * whole(x)));
  }
  const points = [[0, 0], ...Array.from(cost.tokens, (x, i) => [x, cost.time[i]])].filter(([x], i) => i === 0 || x > 0);
  return (x) => {
    const next = points.findIndex(([end], i) => i > 0 && end >= x);
    const end = next < 0 ? points.length - 1 : next;
    const [[x0, t0], [x1, t1]] = [points[end - 1], points[end]];
    return x === 0 ? 0 : t0 + ((x - x0) * (t1 - t0)) / (x1 - x0);
  };
}

/** What of a problem is alive: speeds, bases and slots by GPU, the GPUs of each expert's slots. */
function living({ placement, expertLoad, baseLoad, speed, active }: TimedProblem) {
  const { gpus, physicalToLogical } = placement;
  const perGpu = physicalToLogical.length / gpus;
  const alive = (g: number) => (active?.[g] ?? 1) === 1;
  const of = (e: number) =>
    [...physicalToLogical.keys()].filter((p) => physicalToLogical[p] === e && alive(Math.floor(p / perGpu)));
  return {
    gpus: [...Array(gpus).keys()].filter(alive),
    v: (g: number) => speed?.[g] ?? 1,
    b: (g: number) => baseLoad?.[g] ?? 0,
    slots: expertLoad.map((_, e) => of(e).map((p) => Math.floor(p / perGpu))),
  };
}

/** The least time of all splits of whole tokens, by trying them. */
export function leastTime(problem: TimedProblem): number {
  const c = costOf(problem.cost);
  const { gpus, v, b, slots } = living(problem);
  const load = Array.from({ length: problem.placement.gpus }, (_, g) => b(g));
  let best = Infinity;
  const timeOf = (g: number) => load[g] / v(g);
  const place = (e: number, i: number, left: number): void => {
    if (e === slots.length) {
      best = Math.min(best, Math.max(...gpus.map(timeOf)));
      return;
    }
    if (i >= slots[e].length) {
      if (slots[e].length === 0 || left === 0) place(e + 1, 0, problem.expertLoad[e + 1]);
      return;
    }
    const g = slots[e][i];
    const before = load[g];
    for (let x = i === slots[e].length - 1 ? left : 0; x <= left; x++) {
      load[g] = before + c(x);
      if (timeOf(g) < best)
        place(e, i + 1, left - x); // no later GPU makes up for it
      else break;
    }
    load[g] = before;
  };
  place(0, 0, problem.expertLoad[0]);
  return best;
}

/** The least sum of c over at most `parts` parts of w. */
export function leastWork(c: (x: number) => number, w: number, parts: number): number {
  let least = Array.from({ length: w + 1 }, (_, x) => c(x));
  for (let i = 1; i < parts; i++) {
    const before = least;
    least = before.map((_, x) => Math.min(...Array.from({ length: x + 1 }, (__, y) => before[y] + c(x - y))));
  }
  return least[w];
}

/** Sums of a few f64. */
const ROUNDING = 1e-9;

/** Whether the bottleneck set of LP 0 proves its timeBound by the rule that it names. */
export function proves(problem: TimedProblem, solution: TimedSolution): boolean {
  const { cost, expertLoad } = problem;
  const c = costOf(cost);
  const { gpus, v, b, slots } = living(problem);
  const S = solution.bottleneck[0];
  const inside = [...slots.keys()].filter((e) => slots[e].length > 0 && slots[e].every((g) => S.includes(g)));
  const bound = solution.timeBound[0];
  const { rule, unit } = solution.timeProof[0];
  const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
  if (rule === "work") {
    const work = sum(S.map(b)) + sum(inside.map((e) => leastWork(c, expertLoad[e], slots[e].length)));
    return bound * sum(S.map(v)) <= work + ROUNDING * Math.max(1, Math.abs(work));
  }
  // Units of a tile where none costs less, else one for each expert that has tokens.
  const tile = "model" in cost ? (cost.tile ?? 1) : 1;
  const comesInTiles = expertLoad.every((w) =>
    Array.from({ length: w + 1 }, (_, x) => x).every((x) => c(x) >= unit! * Math.ceil(x / tile) * (1 - ROUNDING)),
  );
  const units = (w: number) => (comesInTiles ? Math.ceil(w / tile) : Math.min(w, 1));
  if (expertLoad.some((w) => w > 0 && unit! > c(1) * (1 + ROUNDING))) return false;
  const needed = sum(inside.map((e) => units(expertLoad[e])));
  const before = bound - ROUNDING * Math.max(1, Math.abs(bound));
  if (gpus.some((g) => v(g) * before <= b(g))) return true;
  return sum(S.map((g) => Math.floor((v(g) * before - b(g)) / unit!))) < needed;
}

/** Costs by kind; the first three come in units of one size. */
export const costKinds: Record<string, (random: Random) => ExpertCost> = {
  linear: (random) => ({ model: random.pick(["roofline", "affine"]), perExpert: 0, perToken: 0.1 + random.next() }),
  activated: (random) => ({ model: random.pick(["roofline", "affine"]), perExpert: 0.1 + random.next(), perToken: 0 }),
  tiles: (random) => ({
    model: "roofline",
    perExpert: random.pick([0, 0.2]),
    perToken: 0.1 + random.next(),
    tile: 2 + random.below(3),
  }),
  roofline: (random) => ({ model: "roofline", perExpert: 1 + 3 * random.next(), perToken: 0.3 + random.next() }),
  "roofline in tiles": (random) => ({
    model: "roofline",
    perExpert: 2 + 3 * random.next(),
    perToken: 0.3 + random.next() / 3,
    tile: 3,
  }),
  affine: (random) => ({
    model: "affine",
    perExpert: 3 * random.next() + 0.01,
    perToken: 0.05 + random.next(),
    tile: 1 + random.below(3),
  }),
  "any curve": (random) => curve(random, (step) => step * 3 * random.next()),
  convex: (random) => curve(random, (step, x) => step * x * (0.5 + random.next())),
  steps: (random) => curve(random, (step) => (random.next() < 0.6 ? 0 : step * (1 + 4 * random.next()))),
};
export const inUnits = ["linear", "activated", "tiles"];

function curve(random: Random, rise: (step: number, x: number) => number): ExpertCost {
  const tokens: number[] = [];
  const time: number[] = [];
  let x = 0;
  let t = 0;
  for (let i = 0; i < 2 + random.below(4); i++) {
    const step = 0.5 + 3 * random.next();
    x += random.next() < 0.5 ? Math.ceil(step) : step;
    t += rise(step, x);
    tokens.push(x);
    time.push(t);
  }
  if (t === 0) time[time.length - 1] = 1;
  return { tokens, time };
}

/** Up to 4 GPUs and 5 experts; speeds, base loads (whole in the units, or not) and dead GPUs in some; at times an expert twice on a GPU. */
export function smallTimed(random: Random, kind: string): TimedProblem {
  const gpus = 2 + random.below(3);
  const perGpu = 1 + random.below(3);
  const experts = 1 + random.below(Math.min(5, gpus * perGpu));
  const physicalToLogical = random.shuffle(
    Array.from({ length: gpus * perGpu }, (_, p) => (p < experts ? p : random.below(experts))),
  );
  const slotsOf = (e: number) => physicalToLogical.filter((one) => one === e).length;
  const expertLoad = Array.from({ length: experts }, (_, e) => random.below(slotsOf(e) > 3 ? 5 : 9));
  const cost = costKinds[kind](random);
  const unit = costOf(cost)(1);
  const bases = random.below(3);
  return {
    placement: { gpus, physicalToLogical },
    expertLoad,
    cost,
    ...(bases > 0 && {
      baseLoad: Array.from({ length: gpus }, () => (bases === 1 ? unit * random.below(4) : 4 * random.next())),
    }),
    ...(random.next() < 0.4 && {
      speed: Array.from({ length: gpus }, () => random.pick([0.5, 1, 1, 0.7 + random.next()])),
    }),
    ...(random.next() < 0.15 && { active: Array.from({ length: gpus }, (_, g) => (g === 1 ? 0 : 1)) }),
  };
}
