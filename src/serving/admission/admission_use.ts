import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { volumeOf } from "../scheduling/job.ts";
import { checkTrace, type Trace } from "../trace/trace.ts";

/** What limits requests over a span of time: at least one of `kvTokens`, `requestRate` and `tokenRate`. */
export interface AdmissionLimits {
  /** s that the budgets are for, or rounds. */
  span: number;
  /** M: KV tokens of a worker. */
  kvTokens?: number;
  /** G, of `kvTokens`. Default 1. */
  workers?: number;
  /** s of a step, on average, of `kvTokens`. Default 1: the span is in rounds. */
  secondsPerStep?: number;
  /** Requests per s (or round). */
  requestRate?: number;
  /** Tokens, of prompts and outputs, per s (or round). */
  tokenRate?: number;
}

const fields: FieldsOf<AdmissionLimits> = {
  ...{ span: true, kvTokens: true, workers: true, secondsPerStep: true, requestRate: true, tokenRate: true },
};

/**
 * A trace's requests and their limits as `admissionBound` and `bidPrices` take them, a budget for each limit that is given, in this order:
 *
 * - `kvTokens`: s o + o (o + 1) / 2 of M G span / secondsPerStep token-steps: a request holds s + j KV tokens in the step of its j-th token;
 * - `requestRate`: 1 of requestRate span;
 * - `tokenRate`: s + o of tokenRate span.
 *
 * Budgets are for the span as a whole: where requests crowd within it, or do not share a worker's memory well, fewer can be served. Outputs are the trace's; who
 * decides before they are known gives a trace with predictions in their place.
 *
 * @returns use [n, m], budget [m].
 * @throws {ArgumentError} No limit is given, or one is out of range; the trace is none.
 */
export function admissionUse(trace: Trace, limits: AdmissionLimits): { use: Float64Array; budget: Float64Array } {
  checkTrace(trace);
  requireObject("limits", limits, fields);
  const { span, kvTokens, workers = 1, secondsPerStep = 1, requestRate, tokenRate } = limits;
  for (const [name, value] of Object.entries({ span, workers, secondsPerStep, kvTokens, requestRate, tokenRate })) {
    if (name !== "span" && value === undefined) continue;
    if (!(Number.isFinite(value) && value! > 0)) throw new ArgumentError(name, "finite and > 0", value);
  }
  const rows: { budget: number; use(input: number, output: number): number }[] = [];
  if (kvTokens !== undefined)
    rows.push({
      budget: (kvTokens * workers * span) / secondsPerStep,
      use: volumeOf,
    });
  if (requestRate !== undefined) rows.push({ budget: requestRate * span, use: () => 1 });
  if (tokenRate !== undefined) rows.push({ budget: tokenRate * span, use: (s, o) => s + o });
  if (rows.length === 0) throw new ArgumentError("limits", "kvTokens, requestRate or tokenRate", limits);
  for (const { budget } of rows) {
    if (!Number.isFinite(budget)) throw new ArgumentError("limits", "budgets that are finite numbers", budget);
  }
  const { requests, input, output } = trace;
  const m = rows.length;
  const use = new Float64Array(requests * m);
  for (let j = 0; j < requests; j++) {
    for (let i = 0; i < m; i++) use[j * m + i] = rows[i].use(input[j], output[j]);
  }
  return { use, budget: Float64Array.from(rows, ({ budget }) => budget) };
}
