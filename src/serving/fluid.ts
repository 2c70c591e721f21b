import { ArgumentError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";

/** Requests that are alike. */
export interface FluidClass {
  /** lambda, requests per s at one worker, > 0. */
  rate: number;
  /** l, tokens of the prompt, >= 1. */
  input: number;
  /** o, tokens that it generates, >= 1. */
  output: number;
}

export interface FluidOptions {
  classes: FluidClass[];
  /** d0, s: what a step takes, whatever is in it. */
  base: number;
  /** d1, s per KV token of those that step. */
  perKvToken: number;
}

/** Where as many come as leave. */
export interface FluidEquilibrium {
  /** Gamma: sum over the steps of a request of the KV tokens that it holds, times requests per s. */
  gamma: number;
  /** d1 Gamma < 1: steps grow more slowly than what they serve. */
  stable: boolean;
  /** M*, KV tokens that are held in each step; infinite where it is not stable. */
  kvTokens: number;
  /** dT*, s; infinite where it is not stable. */
  stepTime: number;
}

export const fluidFields = { classes: true, base: true, perKvToken: true } as const satisfies FieldsOf<FluidOptions>;

/**
 * The equilibrium of a worker that is never short of memory and serves each class at its rate:
 *
 *   Gamma = sum_j lambda_j w_j,  w_j = (o_j + 1)(l_j + o_j / 2);   stable iff d1 Gamma < 1
 *   M* = d0 Gamma / (1 - d1 Gamma),   dT* = d0 / (1 - d1 Gamma)
 *
 * A request goes through o + 1 stages, of a step each: prefill, in which it holds l tokens, and one per token, of which stage s holds l + s. Where
 * prefill makes the first token, as in engines and in `simulate`, there are o of them, and what follows from Gamma is by a stage too large: on
 * the safe side.
 *
 * @throws {ArgumentError} A rate is not above 0, a length below 1, a time below 0, or anything not finite.
 * @see R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320.
 */
export function fluidEquilibrium(options: FluidOptions): FluidEquilibrium {
  checkFluid(options);
  const { classes, base, perKvToken } = options;
  const gamma = classes.reduce((sum, one) => sum + one.rate * tokenSteps(one), 0);
  const spare = 1 - perKvToken * gamma;
  const stable = spare > 0;
  const stepTime = stable ? base / spare : Number.POSITIVE_INFINITY;
  return { gamma, stable, kvTokens: stable ? gamma * stepTime : Number.POSITIVE_INFINITY, stepTime };
}

/** w: KV tokens of a request, summed over its stages. */
const tokenSteps = ({ input, output }: FluidClass) => (output + 1) * (input + output / 2);

/** How many of each class, or segment, go from a stage to the next together. */
export interface Thresholds {
  /** n. */
  thresholds: number[];
  /** M_pi, KV tokens that they hold. */
  kvTokens: number;
  /** dT = d0 + d1 M_pi, s. */
  stepTime: number;
}

/**
 * Thresholds of WAIT, a class each, n_j = ceil(lambda_j tau) of the smallest tau such that n_j requests come in less time than n_j take:
 *
 *   d0 + d1 M_pi < n_j / lambda_j for all j,   M_pi = sum_j n_j (o_j + 1)(l_j + o_j / 2) <= kvTokens
 *
 * Strictly less, so that latency stays bounded; with equality it would grow as sqrt(T). Whole numbers may cost much more than M*.
 *
 * @param kvTokens  the memory; unlimited by default.
 * @throws {ArgumentError} As fluidEquilibrium does; d1 Gamma is not below 1 - 1e-6; M_pi is more than the memory: there is no WAIT for it.
 * @see R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320, theorem on WAIT.
 */
export function waitThresholds(options: FluidOptions, kvTokens = Number.POSITIVE_INFINITY): Thresholds {
  const shortest = shortestStep(options);
  const { classes, base, perKvToken } = options;
  const held = (n: readonly number[]) => n.reduce((sum, count, j) => sum + count * tokenSteps(classes[j]), 0);
  const within = (stepTime: number) => classes.map(({ rate }) => arriving(rate, stepTime));
  const stepTimeOf = (tokens: number) => base + perKvToken * tokens;
  return withinBudget(leastThresholds({ shortest, within, held, stepTimeOf }), kvTokens);
}

/** Requests that end at the same length. */
export interface NestedClass {
  /** lambda, requests per s at one worker, > 0. */
  rate: number;
  /** l', tokens that it generates, an integer >= 1. */
  output: number;
}

export interface NestedFluidOptions {
  /** By ascending output. */
  classes: NestedClass[];
  /** l, tokens of every prompt, >= 1. */
  input: number;
  /** d0, s: what a step takes, whatever is in it. */
  base: number;
  /** d1, s per KV token of those that step. */
  perKvToken: number;
}

export const nestedFluidFields = {
  classes: true,
  input: true,
  base: true,
  perKvToken: true,
} as const satisfies FieldsOf<NestedFluidOptions>;

/**
 * Thresholds of Nested WAIT, a segment each: segment k are the stages from l'_(k-1) on to l'_k, with l'_0 = 0. n_1 is the smallest with
 *
 *   d0 + d1 M_pi < n_1 / sum_j lambda_j,   n_k the smallest with n_k / n_(k-1) > p_k = (sum_(j >= k) lambda_j) / (sum_(j >= k-1) lambda_j)
 *   M_pi = n_1 (l'_1 + 1)(l + l'_1 / 2) + sum_(k >= 2) n_k (l'_k - l'_(k-1)) (l + (l'_(k-1) + 1 + l'_k) / 2) <= kvTokens
 *
 * The paper has n_k / n_(k-1) < 1, too; where whole numbers leave none, it is 1 here. Those that wait between segments hold more than M_pi.
 *
 * @throws {ArgumentError} As waitThresholds does; outputs do not ascend, or are no integers.
 * @see R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320, theorem on Nested WAIT.
 */
export function nestedWaitThresholds(options: NestedFluidOptions, kvTokens = Number.POSITIVE_INFINITY): Thresholds {
  requireObject("options", options, nestedFluidFields);
  const { classes, input, base, perKvToken } = options;
  requireClasses(classes);
  for (const [j, one] of classes.entries()) requireObject(`options.classes[${j}]`, one, { rate: true, output: true });
  requireEnds(
    (j) => `options.classes[${j}].output`,
    classes.map(({ output }) => output),
  );
  const shortest = shortestStep({ classes: classes.map((one) => ({ ...one, input })), base, perKvToken }, "input");
  // Per s, those that reach each segment.
  const reach = classes.map((_, k) => classes.slice(k).reduce((sum, { rate }) => sum + rate, 0));
  const within = (stepTime: number) => {
    const n = [arriving(reach[0], stepTime)];
    for (let k = 1; k < reach.length; k++) n.push(Math.floor((n[k - 1] * reach[k]) / reach[k - 1]) + 1);
    return n;
  };
  const held = (n: readonly number[]) =>
    n.reduce((sum, count, k) => {
      const end = classes[k].output;
      if (k === 0) return count * tokenSteps({ rate: 0, input, output: end });
      const begin = classes[k - 1].output;
      return sum + count * (end - begin) * (input + (begin + 1 + end) / 2);
    }, 0);
  const stepTimeOf = (tokens: number) => base + perKvToken * tokens;
  return withinBudget(leastThresholds({ shortest, within, held, stepTimeOf }), kvTokens);
}

/** The least whole number of requests that come in more than this time. */
const arriving = (rate: number, time: number) => Math.floor(rate * time) + 1;

/** How near to 1 the load may be: the search below takes about 10 / (1 - load) rounds. */
const LEAST_SPARE = 1e-6;

/** dT*, below which no step can be. */
function shortestStep(options: FluidOptions, inputArgument?: string): number {
  checkFluid(options, inputArgument);
  const { gamma, stepTime } = fluidEquilibrium(options);
  const load = options.perKvToken * gamma;
  if (load <= 1 - LEAST_SPARE) return stepTime;
  const remedy = "The worker cannot serve these rates.";
  throw new ArgumentError("options.classes", `perKvToken * Gamma below 1 - ${LEAST_SPARE}`, load, remedy);
}

interface Search {
  shortest: number;
  /** The least thresholds with which a step of this time is short enough: none is less if the time is longer. */
  within(stepTime: number): number[];
  held(thresholds: readonly number[]): number;
  stepTimeOf(kvTokens: number): number;
}

/**
 * The least thresholds with which a step is short enough. Larger ones make it longer, which asks for larger ones: from below, this
 * comes to the least that stand (Knaster, Tarski).
 */
function leastThresholds({ shortest, within, held, stepTimeOf }: Search): Thresholds {
  for (let thresholds = within(shortest); ; ) {
    const kvTokens = held(thresholds);
    const stepTime = stepTimeOf(kvTokens);
    const needed = within(stepTime);
    if (needed.every((n, j) => n <= thresholds[j])) return { thresholds, kvTokens, stepTime };
    thresholds = needed;
  }
}

/** @returns the thresholds. @throws {ArgumentError} They hold more than the memory. */
export function withinBudget(found: Thresholds, kvTokens: number): Thresholds {
  if (found.kvTokens <= kvTokens) return found;
  const expected = `at least M_pi = ${Math.ceil(found.kvTokens)} KV tokens, which the least thresholds hold`;
  throw new ArgumentError("kvTokens", expected, kvTokens, "There is no WAIT for this budget.");
}

function checkFluid(options: FluidOptions, inputArgument?: string): void {
  requireObject("options", options, fluidFields);
  const { classes, base, perKvToken } = options;
  requireClasses(classes);
  requireAtLeast("options.base", base, 0);
  requireAtLeast("options.perKvToken", perKvToken, 0);
  for (const [j, one] of classes.entries()) {
    const path = `options.classes[${j}]`;
    requireObject(path, one, { rate: true, input: true, output: true });
    const { rate, input, output } = one;
    if (!(Number.isFinite(rate) && rate > 0)) throw new ArgumentError(`${path}.rate`, "requests per s, > 0", rate);
    requireAtLeast(inputArgument ? `options.${inputArgument}` : `${path}.input`, input, 1);
    requireAtLeast(`${path}.output`, output, 1);
  }
}

function requireClasses(classes: unknown): void {
  if (Array.isArray(classes) && classes.length > 0) return;
  throw new ArgumentError("options.classes", "an array of at least one class", classes);
}

function requireAtLeast(argument: string, value: number, least: number): void {
  if (!(Number.isFinite(value) && value >= least)) throw new ArgumentError(argument, `a number >= ${least}`, value);
}

/** @throws {ArgumentError} They are no integers >= 1 that ascend. */
export function requireEnds(argument: (j: number) => string, ends: readonly number[]): void {
  for (const [j, end] of ends.entries()) {
    const least = j === 0 ? 1 : ends[j - 1] + 1;
    if (!(Number.isSafeInteger(end) && end >= least))
      throw new ArgumentError(argument(j), `an integer >= ${least}`, end);
  }
}
