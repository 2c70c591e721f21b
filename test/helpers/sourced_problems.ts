/** Small problems that say whose tokens are whose, with everything that a placement may have, and how far it is. */
import type { Random } from "../../src/common/random.ts";
import { Placement, type ReplicaProblem } from "../../src/index.ts";

export type SourcedProblem = ReplicaProblem & {
  placement: Placement;
  sourceLoad: number[];
  expertLoad: number[];
};

/** A problem of `batch` LPs, and how much more load than the least they may have. */
export interface SourcedCase {
  problem: SourcedProblem;
  batch: number;
  sources: number;
  slack: number;
  /** Of distances: by `nodes`, of whole numbers, or of others. */
  kind: "nodes" | "whole" | "fractions";
}

/**
 * Up to 6 GPUs, 6 sources and 8 experts: empty slots, slots of one expert on one GPU, experts without any, dead GPUs, unequal speeds, base loads of any
 * sign, experts without tokens, sources without any.
 *
 * @param most  tokens of a source for an expert.
 */
export function sourcedCase(random: Random, batch: number, most: number): SourcedCase {
  const gpus = 1 + random.below(6);
  const experts = 1 + random.below(8);
  const slotsPerGpu = Array.from({ length: gpus }, () => 1 + random.below(5));
  const slots = slotsPerGpu.reduce((a, b) => a + b);
  const map = Array.from({ length: slots }, () => (random.below(8) === 0 ? -1 : random.below(experts)));
  const placement = Placement.fromPhysicalToLogical(map, { gpus, slotsPerGpu, logicalExperts: experts });
  const far = distances(random, gpus);
  const { sources } = far;
  const empty = Array.from({ length: sources }, () => random.below(6) === 0);
  const sourceLoad = Array.from({ length: batch * sources * experts }, (_, i) =>
    empty[Math.floor(i / experts) % sources] || random.below(4) === 0 ? 0 : random.below(most + 1),
  );
  const expertLoad = Array.from({ length: batch * experts }, (_, i) => {
    const first = Math.floor(i / experts) * sources * experts + (i % experts);
    return Array.from({ length: sources }, (_, s) => sourceLoad[first + s * experts]).reduce((a, b) => a + b);
  });
  const problem: SourcedProblem = { placement, sourceLoad, expertLoad, ...far.given };
  const least = random.pick([0, -5]);
  if (random.below(3) === 0)
    problem.baseLoad = Array.from({ length: batch * gpus }, () => least + random.below(2 * most + 8));
  if (random.below(3) === 0) problem.speed = Array.from({ length: gpus }, () => random.pick([1, 0.5, 2, 1.7, 0.3]));
  if (random.below(4) === 0) {
    const alive = Array.from({ length: gpus }, () => random.below(4) > 0);
    alive[random.below(gpus)] = true;
    problem.active = alive;
  }
  return { problem, batch, sources, kind: far.kind, slack: random.pick([0, 0, 0, 0.07, 0.5]) };
}

function distances(
  random: Random,
  gpus: number,
): { given: Pick<ReplicaProblem, "distance" | "nodes">; sources: number; kind: SourcedCase["kind"] } {
  const divisors = Array.from({ length: gpus }, (_, i) => i + 1).filter((nodes) => gpus % nodes === 0);
  if (random.below(4) === 0) return { given: { nodes: random.pick(divisors) }, sources: gpus, kind: "nodes" };
  const sources = 1 + random.below(6);
  const matrix = (distance: (s: number, g: number) => number) =>
    Array.from({ length: sources }, (_, s) => Array.from({ length: gpus }, (_, g) => distance(s, g)));
  const node = Array.from({ length: Math.max(gpus, sources) }, () => random.below(3));
  const [near, other] = [1 + random.below(3), 4 + random.below(9)];
  const kinds: [SourcedCase["kind"], (s: number, g: number) => number][] = [
    ["whole", (s, g) => (s === g ? 0 : node[s] === node[g] ? near : other)],
    ["whole", () => random.below(4)],
    ["whole", () => random.below(1000)],
    ["fractions", () => random.next()],
    ["fractions", () => random.pick([0, 0.1, 0.2, 0.3, 0.7])],
    ["fractions", () => 1000 * random.next() ** 4],
  ];
  const [kind, distance] = random.pick(kinds);
  return { given: { distance: matrix(distance) }, sources, kind };
}
