import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { nnls } from "../../src/serving/nnls.ts";

interface Problem {
  columns: Float64Array[];
  b: Float64Array;
}

const dot = (u: ArrayLike<number>, v: ArrayLike<number>) =>
  Array.from(u, (x, i) => x * v[i]).reduce((a, c) => a + c, 0);

function squaredResidual({ columns, b }: Problem, x: ArrayLike<number>): number {
  const r = Array.from(b, (value, i) => value - columns.reduce((sum, column, j) => sum + column[i] * x[j], 0));
  return dot(r, r);
}

/** Gauss with pivots on the normal equations of some columns: another way than the one tested. Undefined where they are singular. */
function normalEquations({ columns, b }: Problem, chosen: readonly number[]): number[] | undefined {
  const m = chosen.map((i) => [...chosen.map((j) => dot(columns[i], columns[j])), dot(columns[i], b)]);
  for (let k = 0; k < m.length; k++) {
    const pivot = m.findIndex(
      (row, i) => i >= k && Math.abs(row[k]) === Math.max(...m.slice(k).map((r) => Math.abs(r[k]))),
    );
    [m[k], m[pivot]] = [m[pivot], m[k]];
    if (Math.abs(m[k][k]) < 1e-12) return undefined;
    for (let i = 0; i < m.length; i++) {
      if (i === k) continue;
      const factor = m[i][k] / m[k][k];
      m[i] = m[i].map((value, j) => value - factor * m[k][j]);
    }
  }
  return m.map((row, k) => row[m.length] / row[k]);
}

/** The best of all choices of columns whose least squares solution is not negative. */
function bruteForce(problem: Problem): { x: number[]; residual: number } {
  const n = problem.columns.length;
  let best = { x: new Array<number>(n).fill(0), residual: dot(problem.b, problem.b) };
  for (let set = 1; set < 2 ** n; set++) {
    const chosen = problem.columns.map((_, j) => j).filter((j) => set & (1 << j));
    const solved = normalEquations(problem, chosen);
    if (!solved?.every((value) => value >= 0)) continue;
    const x = new Array<number>(n).fill(0);
    for (const [k, j] of chosen.entries()) x[j] = solved[k];
    const residual = squaredResidual(problem, x);
    if (residual < best.residual) best = { x, residual };
  }
  return best;
}

function drawn(seed: number, rows: number, sign: number): Problem {
  const random = seeded(seed);
  const columns = Array.from({ length: 5 }, () => Float64Array.from({ length: rows }, () => random.normal() + sign));
  const planted = columns.map(() => random.normal());
  const b = Float64Array.from(
    { length: rows },
    (_, i) =>
      dot(
        planted,
        columns.map((c) => c[i]),
      ) +
      random.normal() / 4,
  );
  return { columns, b };
}

/** The largest violation of the conditions of optimality, each for a column of length 1 and b of length 1. */
function violation({ columns, b }: Problem, x: ArrayLike<number>): number {
  const r = Array.from(b, (value, i) => columns.reduce((sum, column, j) => sum + column[i] * x[j], -value));
  return Math.max(
    ...columns.map((column, j) => {
      const slope = dot(column, r) / Math.sqrt(dot(column, column) * dot(b, b));
      return Math.max(x[j] > 0 ? Math.abs(slope) : -slope, -x[j]);
    }),
  );
}

describe("non-negative least squares", () => {
  test("is the best of all 32 choices of columns, and meets the conditions of optimality", () => {
    const zeros = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const problem = drawn(seed, 5 + (seed % 20), seed % 3);
      const x = nnls(problem.columns, problem.b);
      const best = bruteForce(problem);
      zeros.add(best.x.filter((value) => value === 0).length);
      expect(
        [...x].map((value) => value > 0),
        `seed ${seed}`,
      ).toEqual(best.x.map((value) => value > 0));
      expect(squaredResidual(problem, x), `seed ${seed}`).toBeLessThanOrEqual(
        best.residual + 1e-9 * dot(problem.b, problem.b),
      );
      expect(violation(problem, x), `seed ${seed}`).toBeLessThan(2 ** -35);
    }
    expect(zeros.size).toBe(6); // from none to all are 0
  });

  test("the conditions of optimality are not met beside it", () => {
    const problem = drawn(4, 30, 1);
    const x = nnls(problem.columns, problem.b);
    for (let j = 0; j < 5; j++) {
      const beside = x.map((value, k) => (k === j ? value + 0.01 : value));
      expect(violation(problem, beside), `column ${j}`).toBeGreaterThan(1e-4);
    }
  });

  test("columns of any length", () => {
    const { columns, b } = drawn(7, 30, 2);
    const scales = [1e-12, 1e9, 1, 1e-6, 1e15];
    const x = nnls(columns, b);
    const scaled = nnls(
      columns.map((column, j) => column.map((value) => value * scales[j])),
      b,
    );
    for (let j = 0; j < 5; j++) expect(scaled[j] * scales[j]).toBeCloseTo(x[j], 10);
  });

  test("a column of zeros, one that is there twice and one that is the sum of two get what is left for them: 0", () => {
    const random = seeded(3);
    const [u, v] = [1, 2].map(() => Float64Array.from({ length: 20 }, () => random.next()));
    const sum = u.map((value, i) => value + v[i]);
    const b = u.map((value, i) => 2 * value + 3 * v[i]);
    const problem = { columns: [u, new Float64Array(20), u.slice(), v, sum], b };
    const x = nnls(problem.columns, b);
    expect(x[1]).toBe(0);
    expect(x.filter((value) => value > 0)).toHaveLength(2);
    expect(squaredResidual(problem, x)).toBeLessThan(1e-24);
  });

  test("nothing to explain, nothing to explain it by", () => {
    expect([...nnls([Float64Array.of(1, 2)], new Float64Array(2))]).toEqual([0]);
    expect([...nnls([Float64Array.of(1, 2)], Float64Array.of(-1, -1))]).toEqual([0]);
    expect([...nnls([], Float64Array.of(1))]).toEqual([]);
  });
});
