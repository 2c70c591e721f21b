/**
 * Non-negative least squares: min |A x - b|  s.t.  x >= 0, for few columns.
 *
 *   A x - b is the residual r; x is best iff every column has a_j . r = 0 where x_j > 0 and a_j . r >= 0 where x_j = 0.
 *
 * Columns are brought to length 1 first. One that the chosen ones make up already, or that is zero, gets 0.
 *
 * @param columns  of A, each as long as b; finite.
 * @returns x.
 * @see C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23: the active set method.
 */
export function nnls(columns: readonly Float64Array[], b: Float64Array): Float64Array {
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)));
  const a = columns.map((column, j) => (lengths[j] > 0 ? column.map((value) => value / lengths[j]) : column));
  const x = new Float64Array(a.length);
  const tolerance = ROUNDING * Math.sqrt(dot(b, b));
  const refused = new Set<number>();
  let chosen: number[] = [];
  for (let turn = 0; turn < TURNS * a.length; turn++) {
    const entering = steepest(a, residual(a, x, b), chosen, refused, tolerance);
    if (entering < 0) break;
    const trial = [...chosen, entering];
    const solved = leastSquares(trial, a, b);
    if (!solved || solved[solved.length - 1] <= 0) {
      refused.add(entering); // its slope was rounding
    } else {
      refused.clear();
      chosen = approach(x, trial, solved, a, b);
    }
  }
  return x.map((value, j) => (lengths[j] > 0 ? value / lengths[j] : 0));
}

/** Per column. In theory no choice comes twice, since the residual falls; Lawson and Hanson allow 3 where rounding forgets that. */
const TURNS = 10;

/**
 * What is 2^-40 of b is taken for the rounding of sums of up to millions of products: a column that would make the residual so much
 * shorter, or that is so close to the chosen ones.
 */
const ROUNDING = 2 ** -40;

/** The column along which the residual falls fastest; -1: none. */
function steepest(
  a: readonly Float64Array[],
  r: Float64Array,
  chosen: readonly number[],
  refused: ReadonlySet<number>,
  tolerance: number,
): number {
  let best = -1;
  let most = tolerance;
  a.forEach((column, j) => {
    if (chosen.includes(j) || refused.has(j)) return;
    const slope = -dot(column, r);
    if (slope <= most) return;
    most = slope;
    best = j;
  });
  return best;
}

/** Moves x towards the solution on the trial's columns; those that reach 0 before it are left out, and the rest solved again. */
function approach(
  x: Float64Array,
  trial: readonly number[],
  solved: Float64Array | undefined,
  a: readonly Float64Array[],
  b: Float64Array,
): number[] {
  let left = [...trial];
  let target = solved;
  while (target?.some((value) => value <= 0)) {
    let step = 1;
    for (const [k, j] of left.entries()) {
      if (target[k] <= 0) step = Math.min(step, shareToZero(x[j], target[k]));
    }
    const end = target;
    const stopped = left.filter((j, k) => end[k] <= 0 && shareToZero(x[j], end[k]) <= step);
    for (const [k, j] of left.entries()) x[j] += step * (end[k] - x[j]);
    for (const j of stopped) x[j] = 0;
    left = left.filter((j) => !stopped.includes(j));
    target = leastSquares(left, a, b);
  }
  for (const [k, j] of left.entries()) if (target) x[j] = target[k];
  return left;
}

/** Of the way from x >= 0 to an end that is not above 0. */
const shareToZero = (x: number, end: number) => (x === 0 ? 0 : x / (x - end));

function residual(a: readonly Float64Array[], x: Float64Array, b: Float64Array): Float64Array {
  const r = b.map((value) => -value);
  for (const [j, column] of a.entries()) if (x[j] !== 0) subtract(r, -x[j], column);
  return r;
}

/**
 * Least squares on some of the columns, by modified Gram-Schmidt on [A b], which is as stable as Householder's reflections (A. Bjorck,
 * 1967). Undefined where a column is in the span of those before it.
 */
function leastSquares(
  chosen: readonly number[],
  a: readonly Float64Array[],
  b: Float64Array,
): Float64Array | undefined {
  const n = chosen.length;
  const q = [...chosen.map((j) => a[j].slice()), b.slice()];
  const r = q.map(() => new Float64Array(n + 1));
  for (let j = 0; j < n; j++) {
    r[j][j] = Math.sqrt(dot(q[j], q[j]));
    if (r[j][j] <= ROUNDING) return undefined;
    for (let i = 0; i < q[j].length; i++) q[j][i] /= r[j][j];
    for (let k = j + 1; k <= n; k++) {
      r[j][k] = dot(q[j], q[k]);
      subtract(q[k], r[j][k], q[j]);
    }
  }
  const x = new Float64Array(n);
  for (let j = n - 1; j >= 0; j--) {
    x[j] = r[j][n];
    for (let k = j + 1; k < n; k++) x[j] -= r[j][k] * x[k];
    x[j] /= r[j][j];
  }
  return x;
}

function dot(u: Float64Array, v: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < u.length; i++) sum += u[i] * v[i];
  return sum;
}

function subtract(u: Float64Array, factor: number, v: Float64Array): void {
  for (let i = 0; i < u.length; i++) u[i] -= factor * v[i];
}
