import { ArgumentError } from "../../common/errors.ts";
import { requireKnown } from "../../common/objects.ts";
import { seeded } from "../../common/random.ts";

/**
 * All that a policy sees of a request's output o:
 * - "none": nothing;  "exact": o;
 * - { factor: f }: a point, o f^u with u uniform in [-1, 1], rounded to at least 1;
 * - { interval: [l, u] }: this interval of tokens for every request, whatever it holds;
 * - { bins: w }: the interval (k w, (k + 1) w] that o lies in.
 */
export type Prediction = "none" | "exact" | { factor: number } | { interval: [number, number] } | { bins: number };

/** Of a request with this id and output. */
export type Predictor = (id: number, output: number) => number | readonly [number, number] | undefined;

const expected = '"none", "exact", { factor }, { interval: [l, u] } or { bins }';

/** @throws {ArgumentError} It is none of them, or out of range. */
export function predictorOf(prediction: Prediction, seed: number): Predictor {
  if (prediction === "none") return () => undefined;
  if (prediction === "exact") return (_, output) => output;
  if (typeof prediction !== "object" || prediction === null)
    throw new ArgumentError("prediction", expected, prediction);
  requireKnown("prediction", prediction, { factor: true, interval: true, bins: true });
  if (Object.keys(prediction).length !== 1) throw new ArgumentError("prediction", expected, prediction);
  if ("factor" in prediction) return noise(prediction.factor, seed);
  if ("interval" in prediction) return constant(prediction.interval);
  return binned(prediction.bins);
}

function noise(factor: number, seed: number): Predictor {
  if (!(factor >= 1 && Number.isFinite(factor))) throw new ArgumentError("prediction.factor", "a number >= 1", factor);
  return (id, output) => {
    // Of the request alone, so that no order of events changes it.
    const u = 2 * seeded(Math.imul(id + 1, 0x9e3779b1) ^ seed).next() - 1;
    return Math.max(1, Math.round(output * factor ** u));
  };
}

function constant(interval: [number, number]): Predictor {
  const isPair = Array.isArray(interval) && interval.length === 2 && interval.every(Number.isInteger);
  if (!isPair || interval[0] < 1 || interval[1] < interval[0]) {
    throw new ArgumentError("prediction.interval", "two integers [l, u] with 1 <= l <= u", interval);
  }
  const pair = [interval[0], interval[1]] as const;
  return () => pair;
}

function binned(width: number): Predictor {
  if (!Number.isInteger(width) || width < 1) throw new ArgumentError("prediction.bins", "an integer >= 1", width);
  return (_, output) => {
    const below = Math.floor((output - 1) / width) * width;
    return [below + 1, below + width];
  };
}
