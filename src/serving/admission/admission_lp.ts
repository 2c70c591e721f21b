import { seeded } from "../../common/random.ts";
import { invert } from "./inverse.ts";
import { weightedSelect } from "./weighted_select.ts";

/** max r'x, A x <= b, 0 <= x <= 1, of few rows and many columns. */
export interface AdmissionLp {
  /** r [n], finite. */
  values: Float64Array;
  /** A' [n, m]: what each takes of each budget, >= 0 and finite. */
  use: Float64Array;
  /** b [m], >= 0 and finite. */
  budget: Float64Array;
}

export interface AdmissionSolution {
  /** x [n] */
  accepted: Float64Array;
  /** p [m] >= 0 */
  price: Float64Array;
}

/** What x, or a budget as a share of it, may be outside of its range. */
const TOLERANCE = 1e-9;
/** Values are changed by this share of them, differently each, so that no two columns cost the same. */
const PERTURBATION = 1e-10;
/** Of an entry of a row of the tableau, as a share of its terms: below, it is nothing but their rounding. */
const ROUNDING = 1e-11;
/** For each of the rows and ten more: six times what was ever seen. Where it is not enough, what has been reached is a bound all the same. */
const MOST_PIVOTS = 50;

/**
 * The dual simplex method for boxed variables with long steps: the dual,
 *
 *   min over p >= 0 of D(p) = b'p + sum_j (r_j - a_j'p)_+
 *
 * is convex and piecewise linear. A vertex of it is a basis: m columns whose (r_j - a_j'p) is 0, those of the slacks, p_i = 0, among them. A column outside is
 * accepted if r_j > a_j'p. From p = 0 on, the basic variable furthest outside its range leaves; D falls along the edge that this opens, and the edge is followed
 * past every column whose decision turns, until D would rise. All is computed from the basis anew for each pivot, in n m + m^3 operations.
 *
 * The values are perturbed against ties; prices follow from the basis and the true values. They prove what D says of them, whatever they are.
 *
 * @see R. Fourer, Notes on the dual simplex method, 1994; A. Koberstein, The dual simplex method, 2005, 3.2 (bound flipping).
 */
export function solveAdmission(lp: AdmissionLp): AdmissionSolution {
  return new DualSimplex(lp).solve();
}

class DualSimplex {
  private readonly n: number;
  private readonly m: number;
  /** Rows by the largest of their entries, values by the largest of them. */
  private readonly rowUnit: Float64Array;
  private readonly valueUnit: number;
  private readonly budget: Float64Array;
  private readonly use: Float64Array;
  /** [n] perturbed. */
  private readonly values: Float64Array;
  /** [m] columns; n + i is the slack of row i. */
  private readonly basis: Int32Array;
  private readonly isBasic: Uint8Array;
  private readonly inverse: Float64Array;
  private readonly matrix: Float64Array;
  private readonly columnUnit: Float64Array;
  private readonly price: Float64Array;
  /** [n] r_j - a_j'p */
  private readonly margin: Float64Array;
  /** [m] of the basic variables. */
  private readonly basic: Float64Array;
  private readonly residual: Float64Array;
  /** [m] the edge's direction, and [n + m] where along it a decision turns, and what that adds to the slope. */
  private readonly edge: Float64Array;
  private readonly turn: Float64Array;
  private readonly rise: Float64Array;
  private readonly turning: Int32Array;

  constructor(private readonly lp: AdmissionLp) {
    const { values, use, budget } = lp;
    const n = values.length;
    const m = budget.length;
    this.n = n;
    this.m = m;
    this.rowUnit = budget.map((b, i) => {
      let most = b;
      for (let j = 0; j < n; j++) most = Math.max(most, use[j * m + i]);
      return most > 0 ? most : 1;
    });
    this.valueUnit = values.reduce((most, r) => Math.max(most, r), 0) || 1;
    this.budget = budget.map((b, i) => b / this.rowUnit[i]);
    this.use = use.map((a, at) => a / this.rowUnit[at % m]);
    const random = seeded(n);
    this.values = values.map((r) => (r / this.valueUnit) * (1 + PERTURBATION * random.next()));
    this.basis = Int32Array.from({ length: m }, (_, i) => n + i);
    this.isBasic = new Uint8Array(n + m).fill(1, n);
    this.inverse = new Float64Array(m * m);
    this.matrix = new Float64Array(m * m);
    this.columnUnit = new Float64Array(m);
    this.price = new Float64Array(m);
    this.margin = new Float64Array(n);
    this.basic = new Float64Array(m);
    this.residual = new Float64Array(m);
    this.edge = new Float64Array(m);
    this.turn = new Float64Array(n + m);
    this.rise = new Float64Array(n + m);
    this.turning = new Int32Array(n + m);
  }

  solve(): AdmissionSolution {
    this.evaluate();
    for (let pivots = 0; pivots < MOST_PIVOTS * (this.m + 10); pivots++) {
      const row = this.leaving();
      if (row < 0) break;
      const entering = this.entering(row);
      if (entering < 0) break; // only where rounding hides the column
      const left = this.exchange(row, entering);
      if (this.evaluate()) continue;
      this.exchange(row, left);
      this.evaluate();
      break;
    }
    return this.solution();
  }

  private exchange(row: number, column: number): number {
    const left = this.basis[row];
    this.isBasic[left] = 0;
    this.isBasic[column] = 1;
    this.basis[row] = column;
    return left;
  }

  /** Prices, decisions and the basic variables of the basis. @returns false where it is none. */
  private evaluate(): boolean {
    const { n, m, use, price, margin, residual, basic, inverse, values } = this;
    if (!this.factor()) return false;
    this.priceBy(values, price);
    residual.set(this.budget);
    for (let j = 0, at = 0; j < n; j++, at += m) {
      let worth = values[j];
      for (let i = 0; i < m; i++) worth -= use[at + i] * price[i];
      margin[j] = worth;
      if (worth > 0 && this.isBasic[j] === 0) for (let i = 0; i < m; i++) residual[i] -= use[at + i];
    }
    for (let k = 0; k < m; k++) {
      basic[k] = 0;
      for (let i = 0; i < m; i++) basic[k] += inverse[k * m + i] * residual[i];
    }
    return true;
  }

  private entry(row: number, column: number): number {
    if (column >= this.n) return column - this.n === row ? 1 : 0;
    return this.use[column * this.m + row];
  }

  /** The inverse of the basis' columns, whose sizes may differ much. */
  private factor(): boolean {
    const { m, basis, matrix, inverse, columnUnit } = this;
    for (let k = 0; k < m; k++) {
      columnUnit[k] = 0;
      for (let i = 0; i < m; i++) columnUnit[k] = Math.max(columnUnit[k], this.entry(i, basis[k]));
      if (columnUnit[k] === 0) return false;
      for (let i = 0; i < m; i++) matrix[i * m + k] = this.entry(i, basis[k]) / columnUnit[k];
    }
    if (!invert(matrix, inverse, m)) return false;
    for (let k = 0; k < m; k++) for (let i = 0; i < m; i++) inverse[k * m + i] /= columnUnit[k];
    return true;
  }

  /** p with a_j'p = r_j of all columns of the basis. */
  private priceBy(values: Float64Array, price: Float64Array): void {
    const { n, m, basis, inverse } = this;
    price.fill(0);
    for (let k = 0; k < m; k++) {
      if (basis[k] >= n) continue;
      for (let i = 0; i < m; i++) price[i] += values[basis[k]] * inverse[k * m + i];
    }
  }

  /** How far the k-th basic variable is below 0, or, with a minus, above 1. */
  private outside(k: number): number {
    if (this.basic[k] < -TOLERANCE) return -this.basic[k];
    return this.basis[k] < this.n && this.basic[k] > 1 + TOLERANCE ? 1 - this.basic[k] : 0;
  }

  /** The basic variable whose leaving makes D fall most for the length of the way; -1 where none is outside its range. */
  private leaving(): number {
    const { m, inverse } = this;
    let row = -1;
    let steepest = 0;
    for (let k = 0; k < m; k++) {
      const outside = Math.abs(this.outside(k));
      if (outside === 0) continue;
      let length = 0;
      for (let i = 0; i < m; i++) length += inverse[k * m + i] ** 2;
      const slope = outside / Math.sqrt(length);
      if (slope <= steepest) continue;
      steepest = slope;
      row = k;
    }
    return row;
  }

  /** The column at which D would rise again; -1 where there is none. */
  private entering(row: number): number {
    const { n, m, edge, inverse, use, margin, price, turn, rise, turning } = this;
    const outside = this.outside(row);
    for (let i = 0; i < m; i++) edge[i] = Math.sign(outside) * inverse[row * m + i];
    let count = 0;
    for (let j = 0, at = 0; j < n; j++, at += m) {
      if (this.isBasic[j] === 1 || this.values[j] <= 0) continue; // without value it is never accepted
      let along = 0;
      let terms = 0;
      for (let i = 0; i < m; i++) {
        const term = use[at + i] * edge[i];
        along += term;
        terms += Math.abs(term);
      }
      const accepted = margin[j] > 0;
      if (Math.abs(along) <= ROUNDING * terms || accepted !== along > 0) continue;
      turn[j] = margin[j] / along;
      rise[j] = Math.abs(along);
      turning[count++] = j;
    }
    for (let i = 0; i < m; i++) {
      if (this.isBasic[n + i] === 1 || edge[i] >= 0) continue;
      turn[n + i] = Math.max(0, price[i]) / -edge[i];
      rise[n + i] = Number.POSITIVE_INFINITY; // a price does not go below 0
      turning[count++] = n + i;
    }
    return weightedSelect(turning.subarray(0, count), turn, rise, Math.abs(outside));
  }

  private solution(): AdmissionSolution {
    const { n, m, basis, basic, margin, isBasic, rowUnit, valueUnit } = this;
    const accepted = new Float64Array(n);
    for (let j = 0; j < n; j++) accepted[j] = isBasic[j] === 0 && margin[j] > 0 ? 1 : 0;
    for (let k = 0; k < m; k++) if (basis[k] < n) accepted[basis[k]] = Math.min(1, Math.max(0, basic[k]));
    const price = new Float64Array(m);
    this.priceBy(
      this.lp.values.map((r) => r / valueUnit),
      price,
    );
    return { accepted, price: price.map((p, i) => (Math.max(0, p) * valueUnit) / rowUnit[i]) };
  }
}
