/**
 * The method of LPLB, and of SGLang's "lp" dispatch: primal affine scaling on a dense standard form, a fixed number of steps, no gap.
 *
 *   min c x  s.t.  A x = b, x > 0;   x_1 = 1;   one more column a = b - A 1 of cost BIG_M makes x_1 feasible
 *   step:  D = diag(x),  (A D^2 A') u = A D^2 c,  r = c - A' u,  x_j *= 1 - STEP x_j r_j / d_max,  d_max = max_j x_j r_j
 *
 * d_max is accumulated over all columns; LPLB's own code overwrites it beyond 32 of them. Loads are scaled to a mean of 1 per GPU.
 * After Barnes (1986), Vanderbei, Meketon, Freedman (1986).
 */
import type { Topology } from "../../src/lp/topology.ts";
import { choosers, fixedLoad, tokensOf, type Workload } from "../workloads.ts";

export const STEPS = 5;
export const BIG_M = 1000;
/** Of the way to the boundary: of 0.5 to 0.999 the one with the smallest mean gap on all of LPLB's graphs. */
export const STEP = 0.999;
/** Experts without tokens keep this share of a GPU's mean load, so that x > 0 exists. */
const LOAD_FLOOR = 1e-6;

/**
 * "edge", LPLB's: x = flow per edge, rest per edge, slack per GPU, t; rows: capacity of each edge, then each GPU. Two replicas per expert.
 * "replica", SGLang's: x = share per replica, slack per GPU, t; rows: each replicated expert, then each GPU. Any number of replicas.
 */
export type FormName = "edge" | "replica";

/** A of one topology, by columns. */
export interface StandardForm {
  rows: number;
  /** Columns without the artificial one; the last is t, the only one with a cost. */
  columns: number;
  /** [columns + 1] first entry of each column. */
  start: Int32Array;
  /** Row of each entry, ascending in a column, and its sign. */
  row: Int32Array;
  sign: Int32Array;
  /** Experts that have a row. */
  experts: number[];
  /** [R] column of each replica, -1 where its expert has no choice. */
  columnOf: Int32Array;
}

export function standardForm(topology: Topology, name: FormName): StandardForm {
  const { gpus, replicaStart, replicaGpu } = topology;
  const experts = choosers(topology);
  const columns: [row: number, sign: number][][] = [];
  const columnOf = new Int32Array(replicaGpu.length).fill(-1);
  const gpuRow = (g: number) => experts.length + g;
  for (const [i, e] of experts.entries()) {
    const [first, end] = [replicaStart[e], replicaStart[e + 1]];
    if (name === "edge" && end - first !== 2) throw new Error(`Expert ${e} has ${end - first} replicas, not two.`);
    for (let r = first; r < end; r++) {
      columnOf[r] = columns.length;
      if (name === "replica")
        columns.push([
          [i, 1],
          [gpuRow(replicaGpu[r]), 1],
        ]);
      else if (r === first)
        columns.push([[i, 1]]); // what stays
      else
        columns.push([
          [i, 1],
          [gpuRow(replicaGpu[first]), -1],
          [gpuRow(replicaGpu[r]), 1],
        ]);
    }
  }
  for (let g = 0; g < gpus; g++) columns.push([[gpuRow(g), 1]]);
  columns.push(Array.from({ length: gpus }, (_, g) => [gpuRow(g), -1]));
  const entries = columns.map((column) => column.sort(([a], [b]) => a - b));
  const start = new Int32Array(columns.length + 1);
  for (const [j, column] of entries.entries()) start[j + 1] = start[j] + column.length;
  const flat = entries.flat();
  return {
    rows: experts.length + gpus,
    columns: columns.length,
    start,
    row: Int32Array.from(flat, ([row]) => row),
    sign: Int32Array.from(flat, ([, sign]) => sign),
    experts,
    columnOf,
  };
}

/** b of one LP, in mean loads of a GPU. */
export function rightHandSide(work: Workload, lp: number, form: StandardForm, name: FormName): Float64Array {
  const { replicaStart, replicaGpu } = work.layers[lp % work.layers.length].topology;
  const load = fixedLoad(work, lp);
  const tokens = form.experts.map((e) => tokensOf(work, lp, e));
  const total = [...load, ...tokens].reduce((a, b) => a + b, 0);
  const scale = total > 0 ? work.gpus / total : 1;
  const b = new Float64Array(form.rows);
  for (const [i, e] of form.experts.entries()) {
    b[i] = Math.max(tokens[i] * scale, LOAD_FLOOR);
    if (name === "edge") load[replicaGpu[replicaStart[e]]] += tokens[i];
  }
  for (let g = 0; g < work.gpus; g++) b[form.experts.length + g] = -load[g] * scale;
  return b;
}

/** Twin of both shaders in f64. Returns x, or undefined where the matrix had no Cholesky factor. */
export function affineScaling(form: StandardForm, b: Float64Array, step = STEP): Float64Array | undefined {
  const { rows, columns, start, row, sign } = form;
  const x = new Float64Array(columns + 1).fill(1);
  const artificial = Float64Array.from(b);
  for (let j = 0; j < columns; j++) for (let k = start[j]; k < start[j + 1]; k++) artificial[row[k]] -= sign[k];
  const matrix = new Float64Array((rows * (rows + 1)) / 2);
  const u = new Float64Array(rows);
  const d = new Float64Array(columns + 1);
  const at = (i: number, k: number) => (i * (i + 1)) / 2 + k;

  for (let iteration = 0; iteration < STEPS; iteration++) {
    const last = x[columns] * x[columns];
    for (let i = 0; i < rows; i++) {
      u[i] = BIG_M * last * artificial[i];
      for (let k = 0; k <= i; k++) matrix[at(i, k)] = last * artificial[i] * artificial[k];
    }
    for (let j = 0; j < columns; j++) {
      const square = x[j] * x[j];
      for (let k = start[j]; k < start[j + 1]; k++) {
        if (j === columns - 1) u[row[k]] += square * sign[k];
        for (let l = start[j]; l <= k; l++) matrix[at(row[k], row[l])] += square * sign[k] * sign[l];
      }
    }
    if (!solvePositive(matrix, u, rows)) return undefined;
    let most = 0;
    for (let j = 0; j <= columns; j++) {
      let reduced = j < columns - 1 ? 0 : j === columns ? BIG_M : 1;
      if (j === columns) for (let i = 0; i < rows; i++) reduced -= artificial[i] * u[i];
      else for (let k = start[j]; k < start[j + 1]; k++) reduced -= sign[k] * u[row[k]];
      d[j] = x[j] * reduced;
      most = Math.max(most, d[j]);
    }
    if (most <= 0) break; // optimal: nothing gets cheaper
    for (let j = 0; j <= columns; j++) x[j] *= 1 - (step * d[j]) / most;
  }
  return x;
}

/** matrix u = u by Cholesky, packed lower triangle, both overwritten; false where a pivot is not positive. */
function solvePositive(matrix: Float64Array, u: Float64Array, rows: number): boolean {
  const at = (i: number, k: number) => (i * (i + 1)) / 2 + k;
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k <= i; k++) {
      let sum = matrix[at(i, k)];
      for (let j = 0; j < k; j++) sum -= matrix[at(i, j)] * matrix[at(k, j)];
      if (k < i) matrix[at(i, k)] = sum / matrix[at(k, k)];
      else if (sum > 0) matrix[at(i, i)] = Math.sqrt(sum);
      else return false;
    }
    for (let k = 0; k < i; k++) u[i] -= matrix[at(i, k)] * u[k];
    u[i] /= matrix[at(i, i)];
  }
  for (let i = rows - 1; i >= 0; i--) {
    for (let k = i + 1; k < rows; k++) u[i] -= matrix[at(k, i)] * u[k];
    u[i] /= matrix[at(i, i)];
  }
  return true;
}

/** Tokens per replica from x: each expert's, in proportion; half and half where the method failed, as LPLB has it. */
export function tokensFrom(
  work: Workload,
  lp: number,
  form: StandardForm,
  x: ArrayLike<number> | undefined,
): Float64Array {
  const { experts, replicaStart, replicaGpu } = work.layers[lp % work.layers.length].topology;
  const tokens = new Float64Array(replicaGpu.length);
  for (let e = 0; e < experts; e++) {
    const [first, end] = [replicaStart[e], replicaStart[e + 1]];
    const share = (r: number) => (x && form.columnOf[r] >= 0 ? x[form.columnOf[r]] : 1);
    let sum = 0;
    for (let r = first; r < end; r++) sum += share(r);
    for (let r = first; r < end; r++) tokens[r] = (tokensOf(work, lp, e) * share(r)) / sum;
  }
  return tokens;
}
