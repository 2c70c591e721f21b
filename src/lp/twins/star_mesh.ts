/**
 * Twin of shaders/lp/star_mesh.wgsl and group_elimination.wgsl, in f64: factors M by star-mesh elimination along the fill pattern, additions of
 * positive numbers only, and solves the system bordered by the speeds.
 *
 *   D_k = e_k + sum_{i>k} W_ik;   l_ik = W_ik / D_k;   W_ij += l_ik W_jk;   e_i += l_ik e_k
 */
import type { NewtonMatrix, NewtonShape } from "./newton_system.ts";

/** M = L D L', and the border eliminated last, as a 2 x 2 pivot together with the last GPU. */
export interface Factor {
  /** [G] D, */
  readonly pivot: readonly number[];
  /** and 1 / D. */
  readonly invPivot: readonly number[];
  /** L below its diagonal, row by row. */
  readonly l: readonly Float64Array[];
  /** [G] L^-1 v. */
  readonly q: readonly number[];
  /** sum_{k < last} q_k^2 / D_k */
  readonly o2: number;
  readonly invDet: number;
}

/** Factors M. */
export function factor(shape: NewtonShape, matrix: NewtonMatrix): Factor {
  const { gpus, speed, column } = shape;
  const mesh = weights(shape, matrix);
  const excess = [...matrix.theta];
  const pivot: number[] = [];
  const invPivot: number[] = [];
  for (let k = 0; k < gpus; k++) {
    const w = column[k].map((i) => mesh[i][k]);
    pivot[k] = w.reduce((sum, weight) => sum + weight, excess[k]);
    invPivot[k] = 1 / pivot[k];
    for (const [n, i] of column[k].entries()) {
      const l = w[n] * invPivot[k];
      excess[i] += l * excess[k];
      for (let m = 0; m < n; m++) mesh[i][column[k][m]] += l * w[m];
      mesh[i][k] = l;
    }
  }
  const last = gpus - 1;
  const q = forward(shape, mesh, speed);
  const o2 = inner(q, q, invPivot);
  const invDet = 1 / (pivot[last] * o2 + q[last] * q[last]);
  return { pivot, invPivot, l: mesh, q, o2, invDet };
}

/** W_ik = sum of d_r d_s / D_e over the experts with a replica r on i and s on k, row by row for i > k. */
function weights({ gpus, experts }: NewtonShape, { d, invD }: NewtonMatrix): Float64Array[] {
  const mesh = Array.from({ length: gpus }, (_, i) => new Float64Array(i));
  for (const [e, gs] of experts.entries()) {
    for (let r = 1; r < gs.length; r++) {
      const weight = d[e][r] * invD[e];
      for (let s = 0; s < r; s++) mesh[Math.max(gs[r], gs[s])][Math.min(gs[r], gs[s])] += weight * d[e][s];
    }
  }
  return mesh;
}

/** L^-1 of a right-hand side. */
function forward({ gpus, column }: NewtonShape, l: Factor["l"], side: readonly number[]): number[] {
  const solved = [...side];
  for (let k = 0; k < gpus; k++) for (const i of column[k]) solved[i] += l[i][k] * solved[k];
  return solved;
}

/** sum_{k < last} a_k b_k / D_k */
function inner(a: readonly number[], b: readonly number[], invPivot: readonly number[]): number {
  let sum = 0;
  for (let k = 0; k + 1 < a.length; k++) sum += a[k] * b[k] * invPivot[k];
  return sum;
}

/** Solves M dy + v dt = h, v.dy = rs. */
export function solveBordered(
  shape: NewtonShape,
  { pivot, invPivot, l, q, o2, invDet }: Factor,
  h: readonly number[],
  rs: number,
): { dy: number[]; dt: number } {
  const last = shape.gpus - 1;
  const o = q[last];
  const p = forward(shape, l, h);
  const rest = rs - inner(q, p, invPivot);
  const dt = (o * p[last] - pivot[last] * rest) * invDet;
  const dy = new Array<number>(shape.gpus);
  dy[last] = (o2 * p[last] + o * rest) * invDet;
  for (let k = last - 1; k >= 0; k--) {
    dy[k] = (p[k] - dt * q[k]) * invPivot[k];
    for (const i of shape.column[k]) dy[k] += l[i][k] * dy[i];
  }
  return { dy, dt };
}
