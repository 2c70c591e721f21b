/** Seeded problems over the topologies, placements and load families that the solvers must handle. */

import { Pauses } from "../../src/common/pauses.ts";
import { type Random, seeded } from "../../src/common/random.ts";
import { type EdgeProblem, type Numbers, Placement, type ReplicaProblem, topologies } from "../../src/index.ts";
import type { Form } from "../../src/lp/form.ts";
import { formOf } from "../../src/lp/forms.ts";
import type { Loads } from "../../src/lp/problem.ts";
import type { Topology } from "../../src/lp/topology.ts";

/** Problems whose loads are flat: oracles index them. */
export type FlatEdges = EdgeProblem & { load: Numbers; capacity: Numbers };
export type FlatReplicas = ReplicaProblem & { placement: Placement; expertLoad: Numbers; baseLoad?: Numbers };

export type Instance = { name: string; batch: number } & (
  | { form: "edge"; problem: FlatEdges }
  | { form: "replica"; problem: FlatReplicas }
);

/** Tokens of `experts` experts on `gpus` GPUs; integers. */
type Family = (random: Random, experts: number, gpus: number) => number[];

const mean = 4096;

function spread(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => Math.floor((total * weight) / sum));
}

/** `tokens` tokens, each to an expert at random with Zipf-like popularity. */
function scatter(random: Random, experts: number, tokens: number): number[] {
  const load = new Array<number>(experts).fill(0);
  for (let i = 0; i < tokens; i++) load[Math.floor(random.next() ** 2 * experts)]++;
  return load;
}

const zipf = (random: Random, experts: number, exponent: number) =>
  random.shuffle(Array.from({ length: experts }, (_, rank) => (rank + 1) ** -exponent));

export const families: Record<string, Family> = {
  normal: (random, experts) =>
    Array.from({ length: experts }, () => Math.max(0, Math.floor(mean * (1 + 0.3 * random.normal())))),
  lognormal: (random, experts) =>
    Array.from({ length: experts }, () => Math.floor(mean * Math.exp(1.5 * random.normal()))),
  zipf: (random, experts) => spread(mean * experts, zipf(random, experts, 1.2)),
  "one hot": (random, experts) => {
    const load = new Array<number>(experts).fill(0);
    load[random.below(experts)] = 1 + random.below(mean * experts);
    return load;
  },
  "8 tokens per GPU": (random, experts, gpus) => scatter(random, experts, 8 * gpus),
  "1 token": (random, experts) => scatter(random, experts, 1),
  "mostly zero": (random, experts) =>
    Array.from({ length: experts }, () => (random.next() < 0.9 ? 0 : random.below(2 * mean))),
  equal: (random, experts) => new Array<number>(experts).fill(1 + random.below(mean)),
  "near 2^31": (random, experts) => {
    const weights = zipf(random, experts, random.next());
    const load = spread(2 ** 31 - 1, weights);
    load[0] += 2 ** 31 - 1 - load.reduce((a, b) => a + b, 0);
    return load;
  },
  "many orders of magnitude": (random, experts) =>
    spread(
      2 ** 31 - 1,
      Array.from({ length: experts }, () => 10 ** (8 * random.next())),
    ),
};

/** Families of loads as routers make them; the others are extremes. */
export const ordinary = ["normal", "lognormal", "zipf", "8 tokens per GPU"];

/** Unequal speeds: a few generations of GPUs, or any speeds between a half and twice the mean. */
export function randomSpeeds(random: Random, gpus: number): number[] {
  const generations = random.next() < 0.5;
  return Array.from({ length: gpus }, () => (generations ? random.pick([0.8, 1, 1.2, 2]) : 0.5 + 1.5 * random.next()));
}

/** A placement with `extra` slots more than experts: replicas on distinct GPUs, at most `most` per expert, shuffled over the GPUs. */
export function randomPlacement(random: Random, gpus: number, perGpu: number, extra: number, most: number): Placement {
  const slots = gpus * perGpu;
  const experts = slots - extra;
  const copies = new Array<number>(experts).fill(1);
  for (let i = 0; i < extra; ) {
    const e = random.below(experts);
    if (copies[e] < Math.min(most, gpus)) {
      copies[e]++;
      i++;
    }
  }
  // Experts with most copies first, each copy on one of the emptiest GPUs: they always find distinct ones.
  const held: number[][] = Array.from({ length: gpus }, () => []);
  const order = copies.map((_, e) => e).sort((a, b) => copies[b] - copies[a]);
  for (const e of order) {
    const emptiest = random.shuffle([...held.keys()]).sort((a, b) => held[a].length - held[b].length);
    for (const g of emptiest.slice(0, copies[e])) held[g].push(e);
  }
  return Placement.fromPhysicalToLogical(held.flat(), { gpus });
}

/** `batch` load rows of one family for an edge form on r2o: experts at home on every GPU, of which the replicated ones may move. */
function edgeInstance(name: string, r2o: number[][], family: string, seed: number, batch: number): Instance {
  const random = seeded(seed);
  const gpus = r2o.length;
  const edges = topologies.edges(r2o);
  const perGpu = r2o[0].length + 4;
  const load: number[] = [];
  const capacity: number[] = [];
  for (let p = 0; p < batch; p++) {
    const experts = families[family](random, gpus * perGpu, gpus);
    const row = new Array<number>(gpus).fill(0);
    experts.forEach((tokens, e) => {
      row[e % gpus] += tokens;
    });
    // The d-th expert of a GPU is the one that its d-th outgoing edge may move.
    const used = new Array<number>(gpus).fill(0);
    load.push(...row);
    capacity.push(...edges.map(([from]) => experts[from + gpus * used[from]++]));
  }
  return { name: `${name}, ${family}`, batch, form: "edge", problem: { gpus, edges, load, capacity } };
}

function replicaInstance(name: string, placement: Placement, family: string, seed: number, batch: number): Instance {
  const random = seeded(seed);
  const { gpus, logicalExperts } = placement;
  const expertLoad: number[] = [];
  for (let p = 0; p < batch; p++) expertLoad.push(...families[family](random, logicalExperts, gpus));
  return { name: `${name}, ${family}`, batch, form: "replica", problem: { placement, expertLoad } };
}

/** A disconnected placement: two random ones side by side. */
function sideBySide(a: Placement, b: Placement): Placement {
  const shifted = Array.from(b.physicalToLogical, (e) => e + a.logicalExperts);
  return Placement.fromPhysicalToLogical([...a.physicalToLogical, ...shifted], { gpus: a.gpus + b.gpus });
}

/** Topologies by name; placements are drawn from the seed. */
export const shapes: Record<string, { r2o: number[][] } | { placement: (random: Random) => Placement }> = {
  "ring 8": { r2o: topologies.ring(8) },
  cube: { r2o: topologies.cube8() },
  hypercube: { r2o: topologies.hypercube16() },
  "torus 8x4": { r2o: topologies.torus2d(8, 4) },
  "EP8 R8": { placement: (random) => randomPlacement(random, 8, 5, 8, 4) },
  "EP8, 4 replicas": { placement: (random) => randomPlacement(random, 8, 6, 24, 4) },
  "EP16 R32": { placement: (random) => randomPlacement(random, 16, 6, 32, 4) },
  "EP32 R32": { placement: (random) => randomPlacement(random, 32, 5, 32, 4) },
  "experts everywhere": {
    placement: (random) =>
      Placement.fromPhysicalToLogical(
        random.shuffle([0, 1, 2, 3]).flatMap(() => [0, 1, 2, 3]),
        { gpus: 4 },
      ),
  },
  "1 GPU": { placement: () => Placement.fromPhysicalToLogical([0, 1, 2, 3, 1], { gpus: 1 }) },
  "2 GPUs": { placement: (random) => randomPlacement(random, 2, 3, 2, 2) },
  disconnected: {
    placement: (random) => sideBySide(randomPlacement(random, 4, 5, 6, 3), randomPlacement(random, 4, 5, 4, 2)),
  },
  "EP64 R64": { placement: (random) => randomPlacement(random, 64, 5, 64, 4) },
};

/** One instance of every shape and family; a shape keeps its placement across families, so that solvers compile once. */
export function* instances(
  names: readonly string[],
  kinds: readonly string[],
  seed: number,
  batch: number,
  unequalSpeeds: boolean,
): Generator<Instance> {
  for (const name of names) {
    const shape = shapes[name];
    const random = seeded(seed);
    const placement = "placement" in shape ? shape.placement(random) : undefined;
    const gpus = "r2o" in shape ? shape.r2o.length : placement!.gpus;
    const speed = unequalSpeeds ? randomSpeeds(random, gpus) : undefined;
    for (const kind of kinds) {
      const drawn = random.below(2 ** 32);
      const instance =
        "r2o" in shape
          ? edgeInstance(name, shape.r2o, kind, drawn, batch)
          : replicaInstance(name, placement!, kind, drawn, batch);
      if (speed) instance.problem.speed = speed;
      yield instance;
    }
  }
}

/** The replica form of an instance, as the solvers work on it, in whole tokens. */
export async function topologyAndLoads(instance: Instance): Promise<{ topology: Topology; loads: Loads }> {
  const checked = <L>({ topology, check }: Form<L, object>, problem: L) =>
    check(problem, "integer", new Pauses()).then((loads) => ({ topology, loads }));
  return instance.form === "edge"
    ? checked(formOf(instance.problem, {}), instance.problem)
    : checked(formOf(instance.problem, {}), instance.problem);
}
