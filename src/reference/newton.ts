/**
 * The arithmetic of one interior-point iteration, without control flow, over any Field: see shaders/common/interior_point.wgsl and
 * star_mesh.wgsl for the mathematics. Loops run over the topology, which is data of the text: with shader values for scalars nothing of
 * it is left but the operations that this topology needs.
 */
import type { Topology } from "../topology.ts";
import type { Field } from "./field.ts";

/** The shader's constants; a test reads them there and compares. */
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
  /** Per expert. */
  nu: S[];
  /** Per GPU. */
  y: S[];
  s: S[];
  t: S;
}

interface Direction<S> {
  dx: S[][];
  dz: S[][];
  dnu: S[];
  dy: S[];
  ds: S[];
  dt: S;
  alphaP: S;
  alphaD: S;
}

/** Experts with a choice, by their column, with GPUs eliminated as they come or, `sparsely`, by minimum degree. */
export function newtonShape(topology: Topology, sparsely: boolean): NewtonShape {
  const { gpus, replicaStart, replicaGpu, speed } = topology;
  const mean = speed.reduce((a, b) => a + b) / gpus;
  const experts: number[][] = [];
  for (let e = 0; e < topology.experts; e++) {
    const replicas = [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])];
    if (replicas.length > 1) experts.push(replicas);
  }
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
  return { gpus, experts, speed: Array.from(speed, (v) => v / mean), order, column };
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

/** One predictor-corrector step from `at`; `carried` and `sumVy` as measured there. */
export function step<S>(
  f: Field<S>,
  shape: NewtonShape,
  w: readonly S[],
  at: Iterate<S>,
  carried: readonly S[],
  sumVy: S,
): Iterate<S> {
  const { gpus, experts, speed } = shape;
  const { x, z, nu, y, s, t } = at;
  const one = f.constant(1);
  const reciprocal = (value: S) => f.div(one, value);
  const perGpu = <T>(of: (g: number) => T) => Array.from({ length: gpus }, (_, g) => of(g));
  const perReplica = <T>(of: (e: number, r: number, g: number) => T) =>
    experts.map((gs, e) => gs.map((g, r) => of(e, r, g)));

  const variables = gpus + experts.reduce((sum, replicas) => sum + replicas.length, 0);
  const products = (xs: S[][], zs: S[][], ss: S[], ys: S[]) =>
    f.sum([...perGpu((g) => f.mul(ss[g], ys[g])), ...perReplica((e, r) => f.mul(xs[e][r], zs[e][r])).flat()]);
  const mu = f.mul(products(x, z, s, y), f.constant(1 / variables));
  const rs = f.sub(one, sumVy);
  const invY = y.map(reciprocal);
  const invS = s.map(reciprocal);
  const invZ = z.map((row) => row.map(reciprocal));
  const invX = x.map((row) => row.map(reciprocal));
  const d = perReplica((e, r) => f.mul(x[e][r], invZ[e][r]));
  const invD = d.map((row) => reciprocal(f.sum(row)));
  const rd = perReplica((e, r, g) => f.sub(f.sub(y[g], nu[e]), z[e][r]));
  const rp = perGpu((g) => f.sub(f.sub(speed[g] === 1 ? t : f.mul(f.constant(speed[g]), t), carried[g]), s[g]));
  const unserved = experts.map((_, e) => f.sub(w[e], f.sum(x[e])));
  const solve = factor(
    f,
    shape,
    perGpu((g) => f.mul(s[g], invY[g])),
    d,
    invD,
  );

  /** The direction towards x z = s y = aim; the predictor aims at 0, the corrector counts the predictor's second-order terms. */
  function direction(corrector?: { aim: S; dx: S[][]; dz: S[][]; dy: S[]; ds: S[] }): Direction<S> {
    const rc = perGpu((g) => {
      const sy = f.mul(s[g], y[g]);
      return corrector
        ? f.sub(f.sub(corrector.aim, sy), f.mul(corrector.ds[g], corrector.dy[g]))
        : f.sub(f.constant(0), sy);
    });
    const rho = perReplica((e, r) => {
      const fixed = f.sum([x[e][r], f.mul(d[e][r], rd[e][r])]);
      if (!corrector) return f.sub(f.constant(0), fixed);
      const aim = f.sub(corrector.aim, f.mul(corrector.dx[e][r], corrector.dz[e][r]));
      return f.sub(f.mul(aim, invZ[e][r]), fixed);
    });
    const c = experts.map((_, e) => f.mul(f.sub(unserved[e], f.sum(rho[e])), invD[e]));
    const terms = perGpu((g) => [f.sub(f.mul(rc[g], invY[g]), rp[g])]);
    for (const [e, replicas] of experts.entries()) {
      for (const [r, g] of replicas.entries()) terms[g].push(f.sum([rho[e][r], f.mul(d[e][r], c[e])]));
    }
    const { dy, dt } = solve(
      terms.map((list) => f.sum(list)),
      rs,
    );

    const ds = perGpu((g) => f.mul(f.sub(rc[g], f.mul(s[g], dy[g])), invY[g]));
    const dnu = experts.map((gs, e) => f.sum([c[e], f.mul(f.sum(gs.map((g, r) => f.mul(d[e][r], dy[g]))), invD[e])]));
    const towards = perReplica((e, _, g) => f.sub(dy[g], dnu[e]));
    const dz = perReplica((e, r) => f.sum([towards[e][r], rd[e][r]]));
    const dx = perReplica((e, r) => f.sub(rho[e][r], f.mul(d[e][r], towards[e][r])));
    // The longest step keeps value + alpha delta >= 0: alpha = 1 / max(1, max -delta / value).
    const longest = (shrinking: S[]) => reciprocal(shrinking.reduce((a, ratio) => f.max(a, ratio), one));
    const shrink = (delta: S, inverse: S) => f.mul(f.sub(f.constant(0), delta), inverse);
    const alphaP = longest([
      ...perGpu((g) => shrink(ds[g], invS[g])),
      ...perReplica((e, r) => shrink(dx[e][r], invX[e][r])).flat(),
    ]);
    const alphaD = longest([
      ...perGpu((g) => shrink(dy[g], invY[g])),
      ...perReplica((e, r) => shrink(dz[e][r], invZ[e][r])).flat(),
    ]);
    return { dx, dz, dnu, dy, ds, dt, alphaP, alphaD };
  }

  const moved = (value: S, alpha: S, delta: S) => f.sum([value, f.mul(alpha, delta)]);
  const predictor = direction();
  const affine = products(
    perReplica((e, r) => moved(x[e][r], predictor.alphaP, predictor.dx[e][r])),
    perReplica((e, r) => moved(z[e][r], predictor.alphaD, predictor.dz[e][r])),
    perGpu((g) => moved(s[g], predictor.alphaP, predictor.ds[g])),
    perGpu((g) => moved(y[g], predictor.alphaD, predictor.dy[g])),
  );
  const ratio = f.div(f.mul(affine, f.constant(1 / variables)), mu);
  const aim = f.mul(f.mul(f.mul(ratio, ratio), ratio), mu);
  const { dx, dz, dnu, dy, ds, dt, alphaP, alphaD } = direction({ ...predictor, aim });

  const fraction = f.max(f.constant(constants.LEAST_FRACTION), f.sub(one, mu));
  const stepP = f.mul(fraction, alphaP);
  const stepD = f.mul(fraction, alphaD);
  const primalFloor = f.constant(constants.PRIMAL_FLOOR);
  const dualFloor = f.constant(constants.DUAL_FLOOR);
  const free = perReplica((e, r) => f.max(moved(x[e][r], stepP, dx[e][r]), primalFloor));
  const onSimplex = free.map((row, e) => {
    const factorOf = f.div(w[e], f.sum(row)); // a rounding error in sum x = w would flatter the value of x
    return row.map((value) => f.mul(value, factorOf));
  });
  return {
    x: onSimplex,
    z: perReplica((e, r) => f.max(moved(z[e][r], stepD, dz[e][r]), dualFloor)),
    nu: nu.map((value, e) => moved(value, stepD, dnu[e])),
    y: perGpu((g) => f.max(moved(y[g], stepD, dy[g]), dualFloor)),
    s: perGpu((g) => f.max(moved(s[g], stepP, ds[g]), primalFloor)),
    t: moved(t, stepP, dt),
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
