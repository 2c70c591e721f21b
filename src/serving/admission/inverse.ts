/**
 * The inverse of a small matrix by Gauss and Jordan with the largest pivot of each column. `matrix` [m, m] is destroyed, `inverse` [m, m] written, both
 * row-major. @returns false where it is singular as far as its figures tell.
 */
export function invert(matrix: Float64Array, inverse: Float64Array, m: number): boolean {
  inverse.fill(0);
  for (let i = 0; i < m; i++) inverse[i * m + i] = 1;
  for (let column = 0; column < m; column++) {
    let pivot = column;
    for (let i = column + 1; i < m; i++)
      if (Math.abs(matrix[i * m + column]) > Math.abs(matrix[pivot * m + column])) pivot = i;
    const value = matrix[pivot * m + column];
    if (!(Math.abs(value) > SINGULAR)) return false;
    swapRows(matrix, pivot, column, m);
    swapRows(inverse, pivot, column, m);
    for (let j = 0; j < m; j++) {
      matrix[column * m + j] /= value;
      inverse[column * m + j] /= value;
    }
    for (let i = 0; i < m; i++) if (i !== column) subtractRow(matrix, inverse, i, column, m);
  }
  return true;
}

/** Of a pivot, where the largest entry of every column of the matrix is 1: uses may lie far apart, so that small ones are no sign of rounding. */
const SINGULAR = 1e-60;

function swapRows(matrix: Float64Array, a: number, b: number, m: number): void {
  if (a === b) return;
  for (let j = 0; j < m; j++) {
    const kept = matrix[a * m + j];
    matrix[a * m + j] = matrix[b * m + j];
    matrix[b * m + j] = kept;
  }
}

function subtractRow(matrix: Float64Array, inverse: Float64Array, i: number, by: number, m: number): void {
  const factor = matrix[i * m + by];
  if (factor === 0) return;
  for (let j = 0; j < m; j++) {
    matrix[i * m + j] -= factor * matrix[by * m + j];
    inverse[i * m + j] -= factor * inverse[by * m + j];
  }
}
