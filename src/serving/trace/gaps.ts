import type { Random } from "../../common/random.ts";

/** Gaps between arrivals, of mean 1. */
export interface Gaps {
  next(random: Random): number;
  /** From a moment that does not know of the arrivals to the next of them: the first gap of a process that has always been running. */
  residual(random: Random): number;
}

/** The smallest shape of a Gamma distribution that 32 random bits can draw: a gap worth counting is one in a million. */
export const MIN_GAMMA_SHAPE = 1e-6;
/** The same of Weibull's: what exceeds its largest gap is 0.4 % of the mean here, and nothing to speak of from 0.2 on. */
export const MIN_WEIBULL_SHAPE = 0.1;
/** Beyond it gaps are equal to six digits, and the rejection of `gamma` drowns in rounding. */
export const MAX_SHAPE = 1e12;

/** In (0, 1]: its logarithm is finite. */
const positive = (random: Random) => 1 - random.next();

const exponential = (random: Random) => -Math.log(positive(random));

/** Of coefficient of variation 1: a Poisson process, which remembers nothing. */
export const exponentialGaps: Gaps = { next: exponential, residual: exponential };

/** Of coefficient of variation 1 / sqrt(shape). */
export function gammaGaps(shape: number): Gaps {
  const gap = gamma(shape);
  const longer = gamma(shape + 1);
  return {
    next: (random) => gap(random) / shape,
    // A moment falls into a gap with a probability that grows with its length, x f(x): again a Gamma distribution; and anywhere in it.
    residual: (random) => (random.next() * longer(random)) / shape,
  };
}

/** P(gap > x) = exp(-(Gamma(1 + 1/shape) x)^shape). */
export function weibullGaps(shape: number): Gaps {
  const power = 1 / shape;
  const mean = Math.exp(logGamma(1 + power));
  const longer = gamma(1 + power);
  return {
    next: (random) => exponential(random) ** power / mean,
    // By length, x f(x): x^shape is of a Gamma distribution.
    residual: (random) => (random.next() * longer(random) ** power) / mean,
  };
}

/**
 * Draws from the Gamma distribution of this shape and scale 1.
 *
 * @see G. Marsaglia, W. W. Tsang, A simple method for generating gamma variables, ACM TOMS 26(3), 2000: rejection from a cubed normal,
 * for shapes from 1; below, the one of shape + 1 times u^(1 / shape).
 */
function gamma(shape: number): (random: Random) => number {
  if (shape < 1) {
    const larger = gamma(shape + 1);
    return (random) => larger(random) * positive(random) ** (1 / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  return (random) => {
    for (;;) {
      const x = random.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(positive(random)) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v;
    }
  };
}

/** ln Gamma(x), x >= 1: Stirling's series from 8 on, where its first term left out is below 7e-12, and Gamma(x) = Gamma(x + 1) / x below. */
function logGamma(x: number): number {
  let product = 1;
  while (x < 8) product *= x++;
  const series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * x * x)) / (x * x)) / (x * x)) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
