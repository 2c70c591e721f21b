/**
 * The arithmetic of one interior-point iteration, without control flow, over any Field: see shaders/lp/interior_point.wgsl and
 * star_mesh.wgsl for the mathematics. Loops run over the topology, which is data of the text: with shader values for scalars nothing of
 * it is left but the operations that this topology needs.
 */
import type { Topology } from "../topology.ts";
import type { Field } from "./field.ts";

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
  const top = times.reduce((a, time) => f.max(a, time));
  const weighted = (values: readonly S[], g: number) =>
    speed[g] === 1 ? values[g] : f.mul(values[g], f.constant(speed[g]));
  const sumVy = f.sum(Array.from({ length: gpus }, (_, g) => weighted(at.y, g)));
  const dual = f.sum([
    ...b.map((load, g) => f.mul(load, at.y[g])),
    ...experts.map((replicas, e) =>
      f.mul(
        w[e],
        replicas.map((g) => at.y[g]).reduce((a, y) => f.min(a, y)),
      ),
    ),
  ]);
  return { carried, top, sumVy, bound: f.div(dual, sumVy) };
}

/**
 * One predictor-corrector step from `at`, where `sumVy` was measured.
 *
 * Both directions solve for the new x' and s' themselves: with rho_r and eta_g the targets of x z and s y over z and y,
 *   c_e = (w_e - sum rho_r) / D_e,   h_g = b_g - v_g t + eta_g + sum_{r on g} (rho_r + d_r c_e),   M dy + v dt = h,   v.dy = 1 - v.y
 *   dz_r = dy_{g(r)} - c_e - sum_k d_k dy_{g(k)} / D_e,   x'_r = rho_r - d_r dz_r,   s'_g = eta_g - (s_g / y_g) dy_g
 * so that the primal residuals need no terms of their own. The predictor's targets are 0: there dx / x = -1 - dz / z, and u = dz / z
 * alone tells both step lengths, the mu that follows, and the second-order terms -dx dz = x z (u + u^2) of the corrector.
 */
export function step<S>(
  f: Field<S>,
  shape: NewtonShape,
  b: readonly S[],
  w: readonly S[],
  at: Iterate<S>,
  sumVy: S,
): Iterate<S> {
  const { gpus, experts, speed } = shape;
  const { x, z, y, s, t } = at;
  const zero = f.constant(0);
  const one = f.constant(1);
  const perGpu = <T>(of: (g: number) => T) => Array.from({ length: gpus }, (_, g) => of(g));
  const perReplica = <T>(of: (e: number, r: number, g: number) => T) =>
    experts.map((gs, e) => gs.map((g, r) => of(e, r, g)));
  const sumOf = (onGpus: readonly S[], onReplicas: readonly (readonly S[])[]) =>
    f.sum([...onGpus, ...onReplicas.flat()]);
  const plus = (a: S, c: S) => f.sum([a, c]);

  const invY = y.map((value) => f.div(one, value));
  const invZ = z.map((row) => row.map((value) => f.div(one, value)));
  const d = perReplica((e, r) => f.mul(x[e][r], invZ[e][r]));
  const theta = perGpu((g) => f.mul(s[g], invY[g]));
  const invD = d.map((row) => f.div(one, f.sum(row)));
  const sy = perGpu((g) => f.mul(s[g], y[g]));
  const xz = perReplica((e, r) => f.mul(x[e][r], z[e][r]));
  const products = sumOf(sy, xz);
  const variables = gpus + experts.reduce((sum, replicas) => sum + replicas.length, 0);
  const mu = f.mul(products, f.constant(1 / variables));
  const over = b.map((load, g) => f.sub(load, speed[g] === 1 ? t : f.mul(f.constant(speed[g]), t)));
  const rs = f.sub(one, sumVy);
  const solve = factor(f, shape, theta, d, invD);

  /** dy, dt and dz towards these targets; none: towards 0. */
  function direction(rho?: S[][], eta?: S[]) {
    const c = experts.map((_, e) => f.mul(rho ? f.sub(w[e], f.sum(rho[e])) : w[e], invD[e]));
    const terms = over.map((load, g) => (eta ? [load, eta[g]] : [load]));
    for (const [e, replicas] of experts.entries()) {
      for (const [r, g] of replicas.entries()) {
        const pull = f.mul(d[e][r], c[e]);
        terms[g].push(rho ? plus(rho[e][r], pull) : pull);
      }
    }
    const { dy, dt } = solve(
      terms.map((list) => f.sum(list)),
      rs,
    );
    const dnu = experts.map((gs, e) => plus(c[e], f.mul(f.sum(gs.map((g, r) => f.mul(d[e][r], dy[g]))), invD[e])));
    return { dy, dt, dz: perReplica((e, _, g) => f.sub(dy[g], dnu[e])) };
  }
  /** The longest step along which a value stays >= 0, from the least value' / value, or value' / value - 1 as `less`: 1 / max(1, 1 - least). */
  const longest = (less: S) => f.div(one, f.max(one, less));
  const least = (onGpus: readonly S[], onReplicas: readonly (readonly S[])[]) =>
    [...onGpus, ...onReplicas.flat()].reduce((a, value) => f.min(a, value));

  const predictor = direction();
  const uy = perGpu((g) => f.mul(predictor.dy[g], invY[g]));
  const uz = perReplica((e, r) => f.mul(predictor.dz[e][r], invZ[e][r]));
  const most = [...uy, ...uz.flat()].reduce((a, value) => f.max(a, value));
  const affineP = longest(plus(one, most));
  const affineD = longest(f.sub(zero, least(uy, uz)));
  const first = { y: perGpu((g) => f.mul(sy[g], uy[g])), z: perReplica((e, r) => f.mul(xz[e][r], uz[e][r])) };
  const second = {
    y: perGpu((g) => f.mul(first.y[g], uy[g])),
    z: perReplica((e, r) => f.mul(first.z[e][r], uz[e][r])),
  };
  // sum of x z (1 - alpha_p (1 + u)) (1 + alpha_d u) over all pairs, as a polynomial of u.
  const both = f.mul(affineP, affineD);
  const affine = f.sub(
    plus(f.mul(f.sub(one, affineP), products), f.mul(f.sub(f.sub(affineD, both), affineP), sumOf(first.y, first.z))),
    f.mul(both, sumOf(second.y, second.z)),
  );
  const ratio = f.max(f.div(affine, products), zero);
  const aim = f.mul(f.mul(f.mul(ratio, ratio), ratio), mu);

  const eta = perGpu((g) => f.mul(f.sum([aim, first.y[g], second.y[g]]), invY[g]));
  const rho = perReplica((e, r) => f.mul(f.sum([aim, first.z[e][r], second.z[e][r]]), invZ[e][r]));
  const { dy, dt, dz } = direction(rho, eta);
  const nextX = perReplica((e, r) => f.sub(rho[e][r], f.mul(d[e][r], dz[e][r])));
  const nextS = perGpu((g) => f.sub(eta[g], f.mul(theta[g], dy[g])));
  const leastP = least(
    perGpu((g) => f.div(nextS[g], s[g])),
    perReplica((e, r) => f.div(nextX[e][r], x[e][r])),
  );
  const leastD = least(
    perGpu((g) => f.mul(dy[g], invY[g])),
    perReplica((e, r) => f.mul(dz[e][r], invZ[e][r])),
  );

  const fraction = f.max(f.constant(constants.LEAST_FRACTION), f.sub(one, mu));
  const stepP = f.mul(fraction, longest(f.sub(one, leastP)));
  const stepD = f.mul(fraction, longest(f.sub(zero, leastD)));
  const towards = (value: S, next: S) => plus(value, f.mul(stepP, f.sub(next, value)));
  const along = (value: S, delta: S) => plus(value, f.mul(stepD, delta));
  const primalFloor = f.constant(constants.PRIMAL_FLOOR);
  const dualFloor = f.constant(constants.DUAL_FLOOR);
  const free = perReplica((e, r) => f.max(towards(x[e][r], nextX[e][r]), primalFloor));
  const onSimplex = free.map((row, e) => {
    const factorOf = f.div(w[e], f.sum(row)); // a rounding error in sum x = w would flatter the value of x
    return row.map((value) => f.mul(value, factorOf));
  });
  return {
    x: onSimplex,
    z: perReplica((e, r) => f.max(along(z[e][r], dz[e][r]), dualFloor)),
    y: perGpu((g) => f.max(along(y[g], dy[g]), dualFloor)),
    s: perGpu((g) => f.max(towards(s[g], nextS[g]), primalFloor)),
    t: plus(t, f.mul(stepP, dt)),
  };
}

/** Star-mesh elimination along the fill pattern: additions of positive numbers only. Returns the solver of M dy + v dt = h, v.dy = rs. */
function factor<S>(
  f: Field<S>,
  { gpus, experts, speed, order, column }: NewtonShape,
  diagonal: S[],
  d: S[][],
  invD: S[],
) {
  const place = new Array<number>(gpus);
  for (const [k, g] of order.entries()) place[g] = k;
  const weights = new Map<number, S[]>(); // terms of W_ij at i G + j, i > j, by place
  const at = (i: number, j: number) => Math.max(i, j) * gpus + Math.min(i, j);
  const push = (key: number, term: S) => {
    const terms = weights.get(key);
    if (terms) terms.push(term);
    else weights.set(key, [term]);
  };
  for (const [e, gs] of experts.entries()) {
    for (let r = 1; r < gs.length; r++) {
      const weight = f.mul(d[e][r], invD[e]);
      for (let k = 0; k < r; k++) push(at(place[gs[r]], place[gs[k]]), f.mul(weight, d[e][k]));
    }
  }
  const excess = order.map((g) => [diagonal[g]]);
  const pivot: S[] = [];
  const invPivot: S[] = [];
  const l = new Map<number, S>();
  for (let k = 0; k < gpus; k++) {
    const own = f.sum(excess[k]);
    const w = column[k].map((i) => f.sum(weights.get(at(i, k))!));
    pivot.push(f.sum([own, ...w]));
    invPivot.push(f.div(f.constant(1), pivot[k]));
    for (const [n, i] of column[k].entries()) {
      const factorOf = f.mul(w[n], invPivot[k]);
      l.set(at(i, k), factorOf);
      excess[i].push(f.mul(factorOf, own));
      for (let m = 0; m < n; m++) push(at(i, column[k][m]), f.mul(factorOf, w[m]));
    }
  }

  const last = gpus - 1;
  /** L^-1 of a right-hand side given by place. */
  const forward = (terms: S[][]): S[] => {
    const solved: S[] = [];
    for (let k = 0; k < gpus; k++) {
      solved.push(f.sum(terms[k]));
      for (const i of column[k]) terms[i].push(f.mul(l.get(at(i, k))!, solved[k]));
    }
    return solved;
  };
  const inner = (a: S[], b: S[]) =>
    f.sum([f.constant(0), ...a.slice(0, last).map((value, i) => f.mul(f.mul(value, b[i]), invPivot[i]))]);
  const q = forward(order.map((g) => [f.constant(speed[g])]));
  const o2 = inner(q, q);
  const o = q[last];
  const invDet = f.div(f.constant(1), f.sum([f.mul(pivot[last], o2), f.mul(o, o)]));

  return (rhs: S[], rs: S): { dy: S[]; dt: S } => {
    const p = forward(order.map((g) => [rhs[g]]));
    const border = f.sub(rs, inner(q, p));
    const dt = f.mul(f.sub(f.mul(o, p[last]), f.mul(pivot[last], border)), invDet);
    const dy = new Array<S>(gpus);
    dy[order[last]] = f.mul(f.sum([f.mul(o2, p[last]), f.mul(o, border)]), invDet);
    for (let k = last - 1; k >= 0; k--) {
      const own = f.mul(f.sub(p[k], f.mul(dt, q[k])), invPivot[k]);
      dy[order[k]] = f.sum([own, ...column[k].map((i) => f.mul(l.get(at(i, k))!, dy[order[i]]))]);
    }
    return { dy, dt };
  };
}
