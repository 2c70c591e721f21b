import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { flat, type Numbers, type Rows, requireNumbers } from "../../common/numbers.ts";
import { solveAdmission } from "./admission_lp.ts";
import { checkedBudget, checkedEach } from "./check_numbers.ts";

export interface AdmissionBound {
  /** b'p + sum_j (r_j - a_j'p)_+: no choice of requests within the budgets is worth more. */
  bound: number;
  /** r'x: what the best choice is worth where parts of requests may be chosen. Equal to the bound but for rounding. */
  value: number;
  /** p [m]: what one more of each budget would be worth. The proof of the bound. */
  price: Float64Array;
  /** x [n] the best choice: 0 or 1, but for at most m requests in part. Within the budgets to 1e-9 of them. */
  accepted: Float64Array;
}

/**
 * What the requests that budgets allow can be worth at most, all of them being known:
 *
 *   max sum_j r_j x_j,  sum_j a_ji x_j <= b_i,  0 <= x_j <= 1     =     min over p >= 0 of  b'p + sum_j (r_j - a_j'p)_+
 *
 * The right side bounds the left for any p >= 0, also with whole requests alone, so that whoever doubts the bound computes it from `price` in a line.
 *
 * @param values  r [n] finite.
 * @param use  a [n, m] finite and >= 0: what each request takes of each budget; in one array by requests, or an array per request.
 * @param budget  b [m] finite and >= 0, m >= 1. Few: the time grows with n m^2 and m^4.
 * @throws {ShapeError} Lengths disagree.  @throws {ArgumentError} A number is out of range, or all values or uses of a budget add up to more than a number holds.
 * @see S. Agrawal, Z. Wang, Y. Ye, A dynamic near-optimal algorithm for online linear programming, Oper. Res. 62(4), 2014 (arXiv 0911.2974).
 */
export function admissionBound(values: Numbers, use: Rows, budget: Numbers): AdmissionBound {
  const lp = checked(values, use, budget);
  const { accepted, price } = solveAdmission(lp);
  const n = values.length;
  const m = budget.length;
  let bound = 0;
  let value = 0;
  for (let i = 0; i < m; i++) bound += lp.budget[i] * price[i];
  for (let j = 0; j < n; j++) {
    let margin = lp.values[j];
    for (let i = 0; i < m; i++) margin -= lp.use[j * m + i] * price[i];
    if (margin > 0) bound += margin;
    value += lp.values[j] * accepted[j];
  }
  return { bound, value, price, accepted };
}

function checked(values: Numbers, use: Rows, budget: Numbers) {
  const b = checkedBudget(budget, "finite and >= 0", (x) => x >= 0);
  requireNumbers("values", values);
  const r = checkedEach(
    values,
    (j) => `values[${j}]`,
    "a finite number",
    () => true,
  );
  const n = r.length;
  const m = b.length;
  const rows = flat("use", use, { m });
  if (rows.values.length !== n * m)
    throw new ShapeError("use", `n * m = ${n} * ${m} = ${n * m} values`, rows.values.length);
  const a = checkedEach(rows.values, rows.path, "finite and >= 0", (x) => x >= 0);
  requireSum("values", "a finite sum", Math.abs, r);
  for (let i = 0; i < m; i++) requireSum("use", `a finite sum for budget ${i}`, (x, at) => (at % m === i ? x : 0), a);
  return { values: r, use: a, budget: b };
}

function requireSum(
  argument: string,
  expected: string,
  part: (x: number, at: number) => number,
  values: Float64Array,
): void {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += part(values[at], at);
  if (!Number.isFinite(sum)) throw new ArgumentError(argument, expected, sum);
}
