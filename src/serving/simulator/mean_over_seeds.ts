import { ShapeError } from "../../common/errors.ts";
import { type Numbers, requireNumbers } from "../../common/numbers.ts";

/** Of an interval for the mean. */
const CONFIDENCE = 0.95;
/** Halvings of an angle below pi / 2: so many leave less than the last bit of it. */
const HALVINGS = 60;

/**
 * The mean of a figure over n seeds, and half of its 95 % interval:
 *
 *   mean = sum x_i / n,   halfWidth = t sqrt(sum (x_i - mean)^2 / (n - 1) / n),   x_i = values_i, or values_i - against_i
 *
 * t being the 97.5 % quantile of Student's t with n - 1 degrees of freedom. Where two policies were given the same requests, seed by seed,
 * their paired differences vary much less than their figures: an interval without 0 tells the policies apart.
 *
 * @param values  [n] a figure, seed by seed, n >= 1. A NaN makes both NaN.
 * @param against  [n] the same of what it is compared with, for the same seeds.
 * @returns halfWidth NaN for one seed.
 * @throws {ShapeError} There is no value, or another number of them to compare with.  @throws {ArgumentError} They are no numbers.
 * @see Student (W. S. Gosset), The probable error of a mean, Biometrika 6(1), 1908; A. Law, Simulation Modeling and Analysis, 10.2.1.
 */
export function meanOverSeeds(values: Numbers, against?: Numbers): { mean: number; halfWidth: number } {
  requireNumbers("values", values);
  const n = values.length;
  if (n === 0) throw new ShapeError("values", "at least 1 value", n);
  if (against !== undefined) {
    requireNumbers("against", against);
    if (against.length !== n) throw new ShapeError("against", `${n} values, as many as values`, against.length);
  }
  const x = Float64Array.from({ length: n }, (_, i) => values[i] - (against?.[i] ?? 0));
  const mean = x.reduce((a, b) => a + b) / n;
  if (n === 1) return { mean, halfWidth: Number.NaN };
  const squares = x.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, halfWidth: studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n) };
}

/** Within plus and minus so much lies CONFIDENCE of Student's t, by halving an interval of the angle. */
function studentQuantile(degrees: number): number {
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (within(middle, degrees) < CONFIDENCE) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan((low + high) / 2);
}

/** P(|t| <= sqrt(degrees) tan(angle)), a finite sum for whole degrees [Abramowitz and Stegun, 26.7.3 and 26.7.4]. */
function within(angle: number, degrees: number): number {
  const cos = Math.cos(angle);
  const odd = degrees % 2 === 1;
  let term = odd ? cos : 1;
  let sum = 0;
  for (let power = odd ? 1 : 0; power <= degrees - 2; power += 2) {
    sum += term;
    term *= cos ** 2 * ((power + 1) / (power + 2));
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
