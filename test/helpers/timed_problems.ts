/** Small problems with a cost: all that tells one case from another, and few enough splits that they can be listed. */
import type { Random } from "../../src/common/random.ts";
import { type CurveCost, type ExpertCost, Placement } from "../../src/index.ts";
import { timeOn } from "./curves.ts";
import { type FlatReplicas, randomSpeeds } from "./instances.ts";

export type TimedProblem = FlatReplicas & {
  cost: ExpertCost;
  /** [B, E] */
  expertLoad: number[];
  /** [B, G] */
  baseLoad?: number[];
  speed?: number[];
  active?: boolean[];
};

/** c(x) by its definition, of whole numbers of tokens in a slot. */
export function costOf(cost: ExpertCost): (x: number) => number {
  if (!("model" in cost)) return (x) => (x === 0 ? 0 : timeOn(cost, x));
  const { model, perExpert, perToken, tile = 1 } = cost;
  const computed = (x: number) => perToken * tile * Math.ceil(x / tile);
  if (model === "affine") return (x) => (x === 0 ? 0 : perExpert + computed(x));
  return (x) => (x === 0 ? 0 : Math.max(perExpert, computed(x)));
}

/** The GPU of each living slot, by expert; the living GPUs; and how many LPs there are. */
export function livingOf({ placement, active, expertLoad }: TimedProblem) {
  const { gpus, logicalExperts, physicalToLogical, gpuOf } = placement;
  const alive = [...Array(gpus).keys()].filter((g) => active?.[g] ?? true);
  const slots = Array.from({ length: logicalExperts }, (_, e) =>
    [...physicalToLogical.keys()].filter((p) => physicalToLogical[p] === e && alive.includes(gpuOf[p])),
  );
  return {
    alive,
    slots,
    hosts: slots.map((own) => own.map((p) => gpuOf[p])),
    batch: expertLoad.length / logicalExperts,
  };
}

/** Rising points from which time is measured: `more` is how much each adds. */
function curve(random: Random, more: (i: number) => number, first = more(0)): CurveCost {
  const tokens: number[] = [];
  const time: number[] = [];
  const halves = random.next() < 0.2 ? 0.5 : 0; // points need not be whole
  for (let i = 0; i < 2 + random.below(5); i++) {
    tokens.push(i === 0 ? 1 + random.below(2) - halves : tokens[i - 1] + 1 + random.below(4));
    time.push(i === 0 ? first : time[i - 1] + more(i));
  }
  return time.at(-1)! > 0 ? { tokens, time } : { tokens, time: time.map((_, i) => (i === tokens.length - 1 ? 1 : 0)) };
}

/** Of all magnitudes that measured ones have, and fractions that f64 rounds. */
const amount = (random: Random) => random.pick([1, 2, 6.3, 16.5, 0.1 + random.next()]);
const model = (random: Random) => random.pick(["roofline", "affine"] as const);

/** What tokens may cost, each kind with figures of its own. The first three are those whose answers are exact. */
export const costs: Record<string, (random: Random) => ExpertCost> = {
  linear(random) {
    const perToken = amount(random);
    if (random.next() < 0.2) return { tokens: [2, 5], time: [2 * perToken, 5 * perToken] };
    const perExpert = perToken * random.next();
    if (random.next() < 0.3) return { model: "roofline", perExpert, perToken };
    return { model: model(random), perExpert: 0, perToken };
  },
  activated(random) {
    const perExpert = amount(random);
    if (random.next() < 0.2) return { tokens: [random.pick([0.5, 1]), 3], time: [perExpert, perExpert] };
    return { model: model(random), perExpert, perToken: 0, tile: 1 + random.below(3) };
  },
  tiles(random) {
    const perToken = amount(random);
    const tile = 2 + random.below(4);
    if (random.next() < 0.5) return { model: "affine", perExpert: 0, perToken, tile };
    return { model: "roofline", perExpert: random.pick([0, 0.5, 1]) * perToken * tile, perToken, tile };
  },
  roofline(random) {
    const perToken = amount(random);
    return { model: "roofline", perExpert: perToken * (1 + 7 * random.next()), perToken };
  },
  "roofline in tiles"(random) {
    const perToken = amount(random);
    const tile = 2 + random.below(3);
    return { model: "roofline", perExpert: perToken * tile * (1 + 2 * random.next()), perToken, tile };
  },
  affine: (random) => ({ model: "affine", perExpert: amount(random) * 3 * random.next(), perToken: amount(random) }),
  "affine in tiles": (random) => ({
    ...{ model: "affine", perExpert: amount(random) * 3 * random.next(), perToken: amount(random) },
    tile: 2 + random.below(3),
  }),
  curve: (random) => curve(random, () => amount(random) * random.next()),
  concave: (random) => curve(random, (i) => amount(random) / (i + 1), 8),
  convex: (random) => curve(random, (i) => amount(random) * i ** 2),
  stairs: (random) => curve(random, () => random.pick([0, 0, 9]), random.pick([0, 1])),
};
/** Kinds whose answers are the optimum. */
export const exactKinds = ["linear", "activated", "tiles"];

export interface Sizes {
  gpus: number;
  experts: number;
  /** The most tokens of an expert. */
  tokens: number;
  /** The most splits of an LP, symmetric ones of an expert that a GPU holds twice counted each. */
  splits: number;
}
export const tiny: Sizes = { gpus: 4, experts: 6, tokens: 12, splits: 20_000 };

/** `batch` LPs of one placement: up to three slots an expert, which may be on the same GPU; some slots empty, some GPUs dead. */
export function timedProblem(random: Random, kind: string, batch: number, sizes = tiny): TimedProblem {
  const cost = costs[kind](random);
  const placement = placed(random, 2 + random.below(sizes.gpus - 1), 2 + random.below(sizes.experts - 1));
  const { gpus } = placement;
  const problem: TimedProblem = { placement, cost, expertLoad: [] };
  if (random.next() < 0.4) problem.speed = randomSpeeds(random, gpus);
  if (random.next() < 0.2) {
    problem.active = Array.from({ length: gpus }, () => random.next() < 0.7);
    problem.active[random.below(gpus)] = true;
  }
  const { hosts } = livingOf(problem);
  const most = random.pick([3, sizes.tokens]);
  problem.expertLoad = Array.from({ length: batch }, () => loadsOf(random, hosts, most, sizes.splits)).flat();
  const c = costOf(cost);
  const bases: Record<string, () => number> = {
    whole: () => c(1) * random.below(6),
    any: () => 8 * c(2) * random.next(),
    "of both signs": () => 10 * c(2) * (random.next() - 0.5),
  };
  const base = random.pick(["none", "none", ...Object.keys(bases)]);
  if (base !== "none") problem.baseLoad = Array.from({ length: batch * gpus }, bases[base]);
  return problem;
}

function placed(random: Random, gpus: number, experts: number): Placement {
  const held: number[][] = Array.from({ length: gpus }, () => []);
  for (let e = 0; e < experts; e++) {
    for (let copies = 1 + random.below(3); copies > 0; copies--) held[random.below(gpus)].push(e);
  }
  for (const slots of held) if (random.next() < 0.1) slots.push(-1);
  const slotsPerGpu = held.map(({ length }) => length);
  return Placement.fromPhysicalToLogical(held.flat(), { gpus, slotsPerGpu, logicalExperts: experts });
}

function loadsOf(random: Random, hosts: readonly number[][], most: number, splits: number): number[] {
  const load = hosts.map(() => (random.next() < 0.15 ? 0 : 1 + random.below(most)));
  const count = () => hosts.reduce((product, { length }, e) => product * splitsOf(load[e], length), 1);
  while (count() > splits) {
    const e = random.below(load.length);
    if (load[e] > 1) load[e]--;
  }
  return load;
}

/** Ways to share tokens out over `slots` slots: C(tokens + slots - 1, slots - 1). */
function splitsOf(tokens: number, slots: number): number {
  let ways = 1;
  for (let i = 1; i < slots; i++) ways = (ways * (tokens + i)) / i;
  return ways;
}
