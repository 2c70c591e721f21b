/**
 * The solve of M dy + v dt = h, v.dy = rs by star-mesh elimination along the fill pattern, over any Field: additions of positive numbers only,
 * twin of shaders/lp/star_mesh.wgsl. Rows and columns are places in the order of elimination.
 */
import type { Field } from "../text/field.ts";
import type { NewtonShape } from "./newton_system.ts";

/** What the solve asks of a shape. */
type Pattern = Pick<NewtonShape, "gpus" | "experts" | "speed" | "order" | "column">;

/** M = L D L', and the border eliminated last, as a 2 x 2 pivot together with the last place. */
export interface Factor<S> {
  readonly pivot: readonly S[];
  readonly invPivot: readonly S[];
  /** Entries of L below its diagonal. */
  readonly l: Entries<S>;
  /** [G] L^-1 v. */
  readonly q: readonly S[];
  /** sum_{k < last} q_k^2 / D_k */
  readonly o2: S;
  readonly invDet: S;
}

/** One value for each of some entries i, k of a symmetric matrix, i != k. */
class Entries<T> {
  private readonly values = new Map<number, T>();
  constructor(private readonly gpus: number) {}
  get(i: number, k: number): T | undefined {
    return this.values.get(this.key(i, k));
  }
  set(i: number, k: number, value: T): void {
    this.values.set(this.key(i, k), value);
  }
  private key(i: number, k: number): number {
    return Math.max(i, k) * this.gpus + Math.min(i, k);
  }
}

/** Adds a term to the sum that an entry will be. */
function add<S>(sums: Entries<S[]>, i: number, k: number, term: S): void {
  const terms = sums.get(i, k);
  if (terms) terms.push(term);
  else sums.set(i, k, [term]);
}

/** Factors M = diag(diagonal) + sum_e (diag(d) - d d' / D_e). */
export function factor<S>(f: Field<S>, pattern: Pattern, diagonal: readonly S[], d: S[][], invD: S[]): Factor<S> {
  const { gpus, order, speed } = pattern;
  const { pivot, invPivot, l } = eliminate(f, pattern, diagonal, mesh(f, pattern, d, invD));
  const last = gpus - 1;
  const speeds = order.map((g) => [f.constant(speed[g])]);
  const q = forward(f, pattern, l, speeds);
  const o2 = inner(f, invPivot, q, q);
  const invDet = f.div(f.constant(1), f.sum([f.mul(pivot[last], o2), f.mul(q[last], q[last])]));
  return { pivot, invPivot, l, q, o2, invDet };
}

/** W: the terms d_r d_k / D_e that each entry gets from the experts on both of its GPUs. */
function mesh<S>(f: Field<S>, { gpus, experts, order }: Pattern, d: S[][], invD: S[]): Entries<S[]> {
  const place = new Array<number>(gpus);
  for (const [k, g] of order.entries()) place[g] = k;
  const weights = new Entries<S[]>(gpus);
  for (const [e, gs] of experts.entries()) {
    for (let r = 1; r < gs.length; r++) {
      const weight = f.mul(d[e][r], invD[e]);
      for (let k = 0; k < r; k++) add(weights, place[gs[r]], place[gs[k]], f.mul(weight, d[e][k]));
    }
  }
  return weights;
}

/** D_k = e_k + sum_{i > k} W_ik,  l_ik = W_ik / D_k;  then W_ij += l_ik W_jk and e_i += l_ik e_k: a star becomes a mesh. */
function eliminate<S>(f: Field<S>, { gpus, order, column }: Pattern, diagonal: readonly S[], weights: Entries<S[]>) {
  const excess = order.map((g) => [diagonal[g]]);
  const pivot: S[] = [];
  const invPivot: S[] = [];
  const l = new Entries<S>(gpus);
  for (let k = 0; k < gpus; k++) {
    const own = f.sum(excess[k]);
    const w = column[k].map((i) => f.sum(weights.get(i, k)!));
    pivot.push(f.sum([own, ...w]));
    invPivot.push(f.div(f.constant(1), pivot[k]));
    for (const [n, i] of column[k].entries()) {
      const factorOf = f.mul(w[n], invPivot[k]);
      l.set(i, k, factorOf);
      excess[i].push(f.mul(factorOf, own));
      for (let m = 0; m < n; m++) add(weights, i, column[k][m], f.mul(factorOf, w[m]));
    }
  }
  return { pivot, invPivot, l };
}

/** L^-1 of a right-hand side, given as the terms of each place, which are added to. */
function forward<S>(f: Field<S>, { gpus, column }: Pattern, l: Entries<S>, terms: S[][]): S[] {
  const solved: S[] = [];
  for (let k = 0; k < gpus; k++) {
    solved.push(f.sum(terms[k]));
    for (const i of column[k]) terms[i].push(f.mul(l.get(i, k)!, solved[k]));
  }
  return solved;
}

/** sum_{k < last} a_k b_k / D_k */
function inner<S>(f: Field<S>, invPivot: readonly S[], a: readonly S[], b: readonly S[]): S {
  const products = a.slice(0, -1).map((value, k) => f.mul(f.mul(value, b[k]), invPivot[k]));
  return f.sum([f.constant(0), ...products]);
}

/** Solves M dy + v dt = h, v.dy = rs. */
export function solveBordered<S>(
  f: Field<S>,
  pattern: Pattern,
  { pivot, invPivot, l, q, o2, invDet }: Factor<S>,
  h: readonly S[],
  rs: S,
): { dy: S[]; dt: S } {
  const { gpus, order, column } = pattern;
  const last = gpus - 1;
  const o = q[last];
  const p = forward(
    f,
    pattern,
    l,
    order.map((g) => [h[g]]),
  );
  const border = f.sub(rs, inner(f, invPivot, q, p));
  const dt = f.mul(f.sub(f.mul(o, p[last]), f.mul(pivot[last], border)), invDet);
  const dy = new Array<S>(gpus);
  dy[order[last]] = f.mul(f.sum([f.mul(o2, p[last]), f.mul(o, border)]), invDet);
  for (let k = last - 1; k >= 0; k--) {
    const own = f.mul(f.sub(p[k], f.mul(dt, q[k])), invPivot[k]);
    dy[order[k]] = f.sum([own, ...column[k].map((i) => f.mul(l.get(i, k)!, dy[order[i]]))]);
  }
  return { dy, dt };
}
