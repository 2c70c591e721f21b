/** What tests of generated arrivals measure. */

/** Between arrivals, the first one from 0. */
export const gapsOf = (arrival: Float64Array): Float64Array =>
  arrival.map((time, i) => time - (i === 0 ? 0 : arrival[i - 1]));

export function momentsOf(values: ArrayLike<number>): { mean: number; cv: number } {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - mean) ** 2;
  return { mean, cv: Math.sqrt(squares / values.length) / mean };
}

/** sqrt(n) times the largest distance between the values' distribution and F: above 2.23 in 1 of 10,000 where they are F's (Kolmogorov). */
export function kolmogorov(values: Float64Array, F: (x: number) => number): number {
  const n = values.length;
  let most = 0;
  values.toSorted().forEach((x, i) => {
    most = Math.max(most, Math.abs(F(x) - i / n), Math.abs(F(x) - (i + 1) / n));
  });
  return Math.sqrt(n) * most;
}
export const RARE = 2.23;

/** The integral of f from 0 to x by Simpson's rule, in u with x = u^p: for densities that are infinite at 0. */
export function integral(f: (x: number) => number, to: number, p = 1, steps = 2000): number {
  const end = to ** (1 / p);
  const g = (u: number) => (u === 0 ? 0 : f(u ** p) * p * u ** (p - 1));
  let sum = g(0) + g(end);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * g((end * i) / steps);
  return (sum * end) / (3 * steps);
}
