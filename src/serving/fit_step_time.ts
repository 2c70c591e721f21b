import { ArgumentError, ShapeError } from "../common/errors.ts";
import { type FieldsOf, requireNoneMisspelt, requireObject } from "../common/objects.ts";
import { seeded } from "../common/random.ts";
import { nnls } from "./nnls.ts";
import { type StepTime, stepSeconds } from "./step_time.ts";

/** A measured step of a worker; numbers as in `StepTime`. */
export interface StepRow {
  /** n, requests that run in it. */
  running: number;
  /** K, KV tokens that they hold before it. */
  kvTokens: number;
  /** p, prompt tokens that it prefills. */
  prefillTokens: number;
  /** a, query-key pairs of their attention: the sum over chunks of (tokens) x (tokens of the prompt before them + half of their own). */
  context: number;
  /** s. */
  time: number;
}

export interface FitOptions {
  /** Share of the rows that the fit does not see, 0 <= heldOut < 1; 0.2 by default. Where it is not 0 there is one row at least. */
  heldOut?: number;
}

export interface FittedStepTime {
  /** Of the rows that were not held out. */
  stepTime: StepTime;
  /** Mean of |predicted - time| / time on the rows that it was fitted on. */
  error: number;
  /** The same on those held out; NaN without any. */
  heldOutError: number;
}

const rowFields = {
  running: true,
  kvTokens: true,
  prefillTokens: true,
  context: true,
  time: true,
} as const satisfies FieldsOf<StepRow>;

/** c0 to c_ctx. */
const COEFFICIENTS = 5;
const SEED = 1;
const MIN_TIME = 1e-12;
const MAX_TIME = 1e12;

/**
 * Fits the coefficients of a step's time to measured steps.
 *
 *   min sum_rows ((c0 + c_seq n + c_kv K + c_pre p + c_ctx a - time) / time)^2   s.t.  c >= 0
 *
 * Weights of 1 / time^2, since the noise of a measurement grows with what is measured, and since a simulation adds up many short steps
 * and few long ones: without them a decode step of 10 ms would be fitted to what a prefill of 1 s leaves over. (The price: where times
 * are noisy by a share s of themselves, all coefficients are low by 2 s^2.) No coefficient is negative, because a step that gets
 * shorter by more work is noise, or two columns that always grow together. A column that others make up already, or that is 0 in all
 * rows, has coefficient 0: where nothing was prefilled, nothing is known of its cost.
 *
 * Held out are the first round(heldOut * rows) rows of a shuffle that is the same for as many rows. The coefficients are of the others
 * alone, so that heldOutError is an error of exactly what is returned; heldOut 0 uses all, to be tried on other steps. Rows that
 * repeat a measurement are in both parts, and heldOutError then says little: average them first.
 *
 * @param rows  Measured steps; 5 of them at least are fitted.
 * @throws {ShapeError} There are too few rows.
 * @throws {ArgumentError} A number is negative or not finite, or a time is 0.
 * @see C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974.
 */
export function fitStepTime(rows: readonly StepRow[], options: FitOptions = {}): FittedStepTime {
  requireObject("options", options, { heldOut: true });
  const { heldOut = 0.2 } = options;
  if (!(typeof heldOut === "number" && heldOut >= 0 && heldOut < 1))
    throw new ArgumentError("options.heldOut", "a share, 0 <= heldOut < 1", heldOut);
  checkRows(rows);
  const held = heldOut === 0 ? 0 : Math.max(1, Math.round(heldOut * rows.length));
  if (rows.length - held < COEFFICIENTS) {
    const expected = `${COEFFICIENTS} at least beside the ${held} held out, one for each coefficient`;
    throw new ShapeError("rows", expected, rows.length);
  }
  const shuffled = seeded(SEED).shuffle([...rows]);
  const fitted = shuffled.slice(held);
  const stepTime = leastRelativeError(fitted);
  return {
    stepTime,
    error: meanError(stepTime, fitted),
    heldOutError: meanError(stepTime, shuffled.slice(0, held)),
  };
}

function leastRelativeError(rows: readonly StepRow[]): StepTime {
  const column = (of: (row: StepRow) => number) => Float64Array.from(rows, (row) => of(row) / row.time);
  const columns = [
    column(() => 1),
    column((row) => row.running),
    column((row) => row.kvTokens),
    column((row) => row.prefillTokens),
    column((row) => row.context),
  ];
  const [base, perSequence, perKvToken, perPrefillToken, perContext] = nnls(
    columns,
    new Float64Array(rows.length).fill(1),
  );
  return { base, perSequence, perKvToken, perPrefillToken, perContext };
}

/** NaN without rows. */
function meanError(c: StepTime, rows: readonly StepRow[]): number {
  let sum = 0;
  for (const { running, kvTokens, prefillTokens, context, time } of rows) {
    const predicted = stepSeconds(c, { running, held: kvTokens, prefill: prefillTokens, context });
    sum += Math.abs(predicted - time) / time;
  }
  return sum / rows.length;
}

function checkRows(rows: readonly StepRow[]): void {
  if (!Array.isArray(rows)) throw new ArgumentError("rows", "an array of measured steps", rows);
  rows.forEach((row: StepRow, i) => {
    if (typeof row !== "object" || row === null) throw new ArgumentError(`rows[${i}]`, "an object", row);
    requireNoneMisspelt(`rows[${i}]`, row, rowFields); // a measurement may tell more
    for (const name of ["running", "kvTokens", "prefillTokens", "context"] as const) {
      const value = row[name];
      if (typeof value === "number" && value >= 0 && value < 2 ** 53) continue;
      throw new ArgumentError(`rows[${i}].${name}`, "a number >= 0, below 2^53", value);
    }
    const { time } = row;
    if (typeof time === "number" && time >= MIN_TIME && time <= MAX_TIME) return;
    throw new ArgumentError(`rows[${i}].time`, `a number of seconds from ${MIN_TIME} to ${MAX_TIME}`, time);
  });
}
