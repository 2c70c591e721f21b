/**
 * The Newton system of the interior point, over any Field: twin of shaders/lp/newton_system.wgsl and tolerances.wgsl. Loops run over the topology,
 * which is data of the text: with shader values for scalars nothing of it is left but the operations that this topology needs.
 */

import { type Code, type Field, reduced } from "../text/field.ts";
import type { Topology } from "../topology.ts";

/** Those of shaders/lp/tolerances.wgsl; a test reads them there and compares. */
export const constants = {
  MAX_ITERATIONS: 16,
  TOLERANCE: 1e-4,
  LOAD_FLOOR: 1e-6,
  PRIMAL_FLOOR: 1e-9,
  DUAL_FLOOR: 1e-12,
  START_SLACK: 0.1,
  LEAST_FRACTION: 0.9,
} as const;

/** The stopping rule, is_close() of tolerances.wgsl: whether the best max load is farther from the best bound than that. */
export function isOpen<S, B>(c: Code<S, B>, top: S, bound: S): B {
  const { TOLERANCE, LOAD_FLOOR } = constants;
  const allowed = c.mul(c.constant(TOLERANCE), c.max(bound, c.constant(LOAD_FLOOR)));
  return c.less(allowed, c.sub(top, bound));
}

/** The part of a topology that the Newton system sees: experts with a choice, and the order in which GPUs are eliminated. */
export interface NewtonShape {
  readonly gpus: number;
  /** GPUs of each expert's replicas; only experts with several. */
  readonly experts: readonly (readonly number[])[];
  /** [G] of mean 1. */
  readonly speed: readonly number[];
  /** [G] GPUs in order of elimination. */
  readonly order: readonly number[];
  /** [G] per place in that order, the later places that its column of the factor reaches, ascending: the fill pattern. */
  readonly column: readonly (readonly number[])[];
}

export interface Iterate<S> {
  /** Per expert and replica. */
  x: S[][];
  z: S[][];
  /** Per GPU. */
  y: S[];
  s: S[];
  t: S;
}

/** Experts with a choice, by their column, with GPUs eliminated as they come. */
export function newtonShape({ experts, replicaStart, replicaGpu, speed }: Topology): NewtonShape {
  const choosers: number[][] = [];
  for (let e = 0; e < experts; e++) {
    const replicas = [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])];
    if (replicas.length > 1) choosers.push(replicas);
  }
  return eliminated(choosers, [...speed], false);
}

/** The shape of experts on GPUs of these speeds, eliminated as they come or, `sparsely`, by minimum degree. */
export function eliminated(
  experts: readonly (readonly number[])[],
  speed: readonly number[],
  sparsely: boolean,
): NewtonShape {
  const gpus = speed.length;
  const mean = speed.reduce((a, b) => a + b) / gpus;
  const neighbours = Array.from({ length: gpus }, () => new Set<number>());
  for (const replicas of experts) for (const g of replicas) for (const h of replicas) if (g !== h) neighbours[g].add(h);

  const order: number[] = [];
  const reach: Set<number>[] = [];
  const left = new Set(neighbours.keys());
  while (left.size > 0) {
    let next = left.values().next().value as number;
    if (sparsely) for (const g of left) if (neighbours[g].size < neighbours[next].size) next = g;
    left.delete(next);
    order.push(next);
    reach.push(neighbours[next]);
    for (const g of neighbours[next]) {
      neighbours[g].delete(next);
      for (const h of neighbours[next]) if (h !== g) neighbours[g].add(h); // a star becomes a mesh
    }
  }
  const place = new Map(order.map((g, k) => [g, k]));
  const column = reach.map((later) => [...later].map((g) => place.get(g)!).sort((a, b) => a - b));
  return { gpus, experts, speed: speed.map((v) => v / mean), order, column };
}

/** Loads under x, the largest load / speed, and the dual bound of y. */
export function measure<S>(
  f: Field<S>,
  { gpus, experts, speed }: NewtonShape,
  b: readonly S[],
  w: readonly S[],
  at: Iterate<S>,
) {
  const terms: S[][] = b.map((load) => [load]);
  for (const [e, replicas] of experts.entries()) for (const [r, g] of replicas.entries()) terms[g].push(at.x[e][r]);
  const carried = terms.map((loads) => f.sum(loads));
  const times = carried.map((load, g) => (speed[g] === 1 ? load : f.mul(load, f.constant(1 / speed[g]))));
  const top = reduced(times, f.max);
  const weighted = (values: readonly S[], g: number) =>
    speed[g] === 1 ? values[g] : f.mul(values[g], f.constant(speed[g]));
  const sumVy = f.sum(Array.from({ length: gpus }, (_, g) => weighted(at.y, g)));
  const dual = f.sum([
    ...b.map((load, g) => f.mul(load, at.y[g])),
    ...experts.map((replicas, e) =>
      f.mul(
        w[e],
        reduced(
          replicas.map((g) => at.y[g]),
          f.min,
        ),
      ),
    ),
  ]);
  return { carried, top, sumVy, bound: f.div(dual, sumVy) };
}
