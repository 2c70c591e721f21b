import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkSlo, checkWorker, chunkOf, type Slo, type WorkerSpec } from "../simulator/options.ts";
import { type Prediction, predictorOf } from "../simulator/prediction.ts";

/** Of `routing`: those that go by the workers' tokens alone. */
export type SweptRouting = "roundRobin" | "leastKv" | "bfio";
/** Of `scheduling`: those whose order is a number of each request. */
export type SweptScheduling = "fcfs" | "sjf" | "priority" | "svf";
const sweptRouting: readonly SweptRouting[] = ["roundRobin", "leastKv", "bfio"];
const sweptScheduling: readonly SweptScheduling[] = ["fcfs", "sjf", "priority", "svf"];

/**
 * What if: every combination of these is a scenario, of as many workers as it says, all alike.
 *
 * Policies are those of `routing` and `scheduling` by their names, with their defaults; "bfio" is BF-IO at H = 0, a request at a time.
 */
export interface SweepGrid {
  /** "rounds": a step is one unit of time. "seconds": it lasts what the worker's step time says. */
  clock: "rounds" | "seconds";
  worker: WorkerSpec;
  /** Numbers of workers, each from 1 to 1,024. */
  workers: readonly number[];
  /** ["leastKv"] by default. */
  routing?: readonly SweptRouting[];
  /** ["fcfs"] by default. */
  scheduling?: readonly SweptScheduling[];
  /** Requests per s, or round; by default as many as the trace has. */
  rates?: readonly number[];
  /**
   * "replay" (default): the trace's arrivals, stretched to each rate. "poisson", or { cv }: gaps drawn anew for each rate and seed, as `generateTrace` draws them;
   * `rates` are required then.
   */
  arrivals?: "replay" | "poisson" | { cv: number };
  /** Integers, of arrivals and predictions that are drawn: [0] by default. */
  seeds?: readonly number[];
  /** "whole" by default. { chunk }: at most so many prompt tokens in a step. */
  prefill?: "whole" | { chunk: number };
  /** What an evicted request begins again with: its prompt alone (default), or with the tokens, too, that it has made. */
  eviction?: "restart" | "recompute";
  /** "none" by default; "svf" goes by it. */
  prediction?: Prediction;
  /** What becomes of a request that is larger than a worker's memory at its end: an error (default), or it is rejected and counted. */
  tooLarge?: "error" | "reject";
  /** Of all requests alike, for goodput. */
  slo?: Slo;
}

const fields: FieldsOf<SweepGrid> = {
  ...{
    clock: true,
    worker: true,
    workers: true,
    routing: true,
    scheduling: true,
    rates: true,
    arrivals: true,
    seeds: true,
  },
  ...{ prefill: true, eviction: true, prediction: true, tooLarge: true, slo: true },
};

/** With defaults. */
export interface GridSettings {
  rounds: boolean;
  worker: WorkerSpec;
  workers: readonly number[];
  routing: readonly SweptRouting[];
  scheduling: readonly SweptScheduling[];
  /** Undefined: the trace's own. */
  rates: readonly number[] | undefined;
  arrivals: "replay" | "poisson" | { cv: number };
  seeds: readonly number[];
  chunk: number;
  recompute: boolean;
  prediction: Prediction;
  reject: boolean;
  slo: Slo;
}

const MOST_WORKERS = 1024;
/** So that sums of two fit 32 bits. */
const MOST_TOKENS = 2 ** 30;

/** @throws {ArgumentError} Anything that is missing, unknown, out of range or twice the same. */
export function gridSettings(grid: SweepGrid): GridSettings {
  requireObject("grid", grid, fields);
  const { clock, worker, workers, routing = ["leastKv"], scheduling = ["fcfs"], rates, arrivals = "replay" } = grid;
  const { seeds = [0], prefill = "whole", eviction = "restart", prediction = "none", tooLarge = "error", slo } = grid;
  oneOf("clock", clock, ["rounds", "seconds"]);
  const rounds = clock === "rounds";
  checkWorker("worker", worker, rounds);
  if (worker.kvTokens > MOST_TOKENS)
    throw new ArgumentError("worker.kvTokens", "an integer up to 2^30", worker.kvTokens);
  requireList(
    "workers",
    workers,
    `integers from 1 to ${MOST_WORKERS}`,
    (g) => Number.isInteger(g) && g >= 1 && g <= MOST_WORKERS,
  );
  requireList("routing", routing, `names of ${sweptRouting.join(", ")}`, (name) => sweptRouting.includes(name));
  requireList("scheduling", scheduling, `names of ${sweptScheduling.join(", ")}`, (name) =>
    sweptScheduling.includes(name),
  );
  if (rates !== undefined)
    requireList("rates", rates, "numbers from 1e-6 to 1e9", (r) => typeof r === "number" && r >= 1e-6 && r <= 1e9);
  requireList("seeds", seeds, "integers", (seed) => Number.isInteger(seed));
  if (typeof prefill === "object" && prefill !== null && "pool" in prefill)
    throw new ArgumentError("prefill", '"whole" or { chunk }', prefill);
  const chunk = chunkOf(prefill);
  oneOf("eviction", eviction, ["restart", "recompute"]);
  oneOf("tooLarge", tooLarge, ["error", "reject"]);
  if (slo !== undefined) checkSlo("slo", slo);
  predictorOf(prediction, 0);
  if (scheduling.includes("svf") && prediction === "none")
    throw new ArgumentError("prediction", 'a model other than "none", since svf orders by it', prediction);
  if (arrivals !== "replay" && rates === undefined)
    throw new ArgumentError("rates", "numbers, since arrivals are drawn", rates);
  const drawn = arrivals !== "replay" || (typeof prediction === "object" && "factor" in prediction);
  if (seeds.length > 1 && !drawn)
    throw new ArgumentError(
      "seeds",
      "one, as nothing is drawn and all would be alike",
      seeds.length,
      'Ask for arrivals: "poisson".',
    );
  return {
    ...{ rounds, worker, workers, routing, scheduling, rates, arrivals, seeds, chunk, prediction, slo: slo ?? {} },
    ...{ recompute: eviction === "recompute", reject: tooLarge === "reject" },
  };
}

function oneOf(argument: string, value: unknown, names: readonly string[]): void {
  if (names.some((name) => name === value)) return;
  throw new ArgumentError(argument, names.map((name) => `"${name}"`).join(" or "), value);
}

/** @throws {ArgumentError} It is no list of one at least, or one of it is none that is expected, or there twice. */
export function requireList<T>(
  argument: string,
  values: readonly T[],
  expected: string,
  is: (value: T) => boolean,
): void {
  if (!Array.isArray(values) || values.length === 0)
    throw new ArgumentError(argument, `an array of ${expected}, one at least`, values);
  for (const [k, value] of values.entries()) {
    if (!is(value)) throw new ArgumentError(`${argument}[${k}]`, expected, value);
    if (values.indexOf(value) < k) throw new ArgumentError(`${argument}[${k}]`, "none that is there already", value);
  }
}
