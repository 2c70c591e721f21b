import { ArgumentError } from "../../common/errors.ts";
import { estimateBy, middle } from "../scheduling/job.ts";
import { predictorOf } from "../simulator/prediction.ts";
import { arrivalsBySeed } from "../trace/generate_trace.ts";
import type { Trace } from "../trace/trace.ts";
import { BFIO, FCFS, LEAST_KV, PRIORITY, type ReplaySetting, ROUND_ROBIN, SJF, SVF } from "../twins/replay_state.ts";
import { MOST_COUNT, stepUnits, TICKS_PER_ROUND, TICKS_PER_SECOND } from "./step_units.ts";
import type { GridSettings, SweptRouting, SweptScheduling } from "./sweep_grid.ts";

const routingCodes = { roundRobin: ROUND_ROBIN, leastKv: LEAST_KV, bfio: BFIO };
const schedulingCodes = { fcfs: FCFS, sjf: SJF, priority: PRIORITY, svf: SVF };

/** Which scenario it is. */
export interface ScenarioLabel {
  routing: SweptRouting;
  scheduling: SweptScheduling;
  workers: number;
  /** Requests per s, or round, on average; undefined: as the trace has them. */
  rate: number | undefined;
  seed: number;
}

/** What a backend runs. */
export interface PlannedScenario {
  routing: number;
  scheduling: number;
  workers: number;
  /** Which of the plan's arrivals and estimates are its own. */
  arrivals: number;
  estimates: number;
}

export interface SweepPlan {
  setting: ReplaySetting;
  ticks: number;
  /** Of the requests that fit, each [n]: ticks, ascending; tokens that outputs are taken to have. */
  arrivals: Float64Array[];
  estimates: Int32Array[];
  scenarios: PlannedScenario[];
  /** Requests that are larger than the memory. */
  rejected: number;
}

/** Every combination of the grid, the last named varying fastest: routing, scheduling, workers, rate, seed. */
export function labelsOf(grid: GridSettings): ScenarioLabel[] {
  const rates = grid.rates ?? [undefined];
  return grid.routing.flatMap((routing) =>
    grid.scheduling.flatMap((scheduling) =>
      grid.workers.flatMap((workers) =>
        rates.flatMap((rate) => grid.seeds.map((seed) => ({ routing, scheduling, workers, rate, seed }))),
      ),
    ),
  );
}

/** Makes what is common to the scenarios, arrivals and estimates once for all that have the same.  @throws {ArgumentError} A request is too large, or a trace cannot be stretched. */
export function planSweep(trace: Trace, settings: GridSettings, labels: readonly ScenarioLabel[]): SweepPlan {
  const { worker, rounds, slo, chunk, recompute } = settings;
  const kept = fitting(trace, settings);
  const pick = (values: Int32Array) => Int32Array.from(kept, (id) => values[id]);
  const [input, output] = [pick(trace.input), pick(trace.output)];
  const longest = input.reduce((most, s, i) => Math.max(most, s + output[i]), 0);
  const ticks = rounds ? TICKS_PER_ROUND : TICKS_PER_SECOND;
  const limit = (time: number | undefined) =>
    time === undefined ? Number.POSITIVE_INFINITY : Math.floor(time * ticks);
  const setting: ReplaySetting = {
    ...{ input, output, recompute, chunk },
    rank: Int32Array.from(kept, (id) => trace.class?.[id] ?? 0),
    slots: Math.min(worker.slots, Math.max(1, kept.length)),
    kvTokens: worker.kvTokens,
    step: stepUnits({ ...worker, slots: Math.min(worker.slots, kept.length) }, longest, rounds),
    grain: rounds ? TICKS_PER_ROUND : 1,
    ttftLimit: limit(slo.ttft),
    tpotLimit: withinProducts(limit(slo.tpot)),
  };
  const arrivals = new Kept<Float64Array>();
  const estimates = new Kept<Int32Array>();
  const scenarios = labels.map(({ routing, scheduling, workers, rate, seed }) => {
    const drawn = settings.arrivals === "replay" ? "" : seed;
    return {
      ...{ routing: routingCodes[routing], scheduling: schedulingCodes[scheduling], workers },
      arrivals: arrivals.at(`${rate} ${drawn}`, () => arrivalTicks(trace, settings, kept, rate, seed, ticks)),
      estimates: estimates.at(scheduling === "svf" ? predictionKey(settings, seed) : "none", () =>
        estimatesOf(trace, settings, kept, scheduling === "svf", seed),
      ),
    };
  });
  return {
    ...{ setting, ticks, scenarios },
    rejected: trace.requests - kept.length,
    arrivals: arrivals.all,
    estimates: estimates.all,
  };
}

/** As long as a limit times a request's tokens is below 2^64; what is beyond, 8,000 s or rounds per token, is no limit. */
const withinProducts = (ticks: number): number => (ticks < 2 ** 33 ? ticks : Number.POSITIVE_INFINITY);

/** Values that are made once for each key. */
class Kept<T> {
  readonly all: T[] = [];
  private readonly places = new Map<string, number>();

  at(key: string, make: () => T): number {
    let place = this.places.get(key);
    if (place === undefined) {
      place = this.all.push(make()) - 1;
      this.places.set(key, place);
    }
    return place;
  }
}

/** Requests that a worker's memory holds at their end. */
function fitting(trace: Trace, { worker, reject }: GridSettings): number[] {
  const { input, output } = trace;
  const kept: number[] = [];
  for (let id = 0; id < trace.requests; id++) {
    const peak = input[id] + output[id];
    if (peak <= worker.kvTokens) kept.push(id);
    else if (!reject) {
      const what = `${input[id]} + ${output[id]} KV tokens at its end within the memory of a worker, ${worker.kvTokens}`;
      throw new ArgumentError(`trace, request ${id}`, what, peak, 'tooLarge: "reject" counts such requests.');
    }
  }
  return kept;
}

function arrivalTicks(
  trace: Trace,
  { arrivals }: GridSettings,
  kept: readonly number[],
  rate: number | undefined,
  seed: number,
  ticks: number,
): Float64Array {
  const { requests } = trace;
  if (arrivals !== "replay") {
    const drawn = arrivalsBySeed(requests, arrivals, rate!, seed);
    return Float64Array.from(kept, (id) => Math.round(drawn[id] * ticks));
  }
  const { arrival } = trace;
  if (rate === undefined) return Float64Array.from(kept, (id) => Math.round(arrival[id] * ticks));
  const span = arrival[requests - 1] - arrival[0];
  if (!(span > 0))
    throw new ArgumentError(
      "rates",
      "undefined, as the trace's requests come all at once",
      rate,
      'Ask for arrivals: "poisson".',
    );
  const stretch = ((requests - 1) / span / rate) * ticks;
  return Float64Array.from(kept, (id) => Math.round((arrival[id] - arrival[0]) * stretch));
}

const predictionKey = ({ prediction }: GridSettings, seed: number): string =>
  typeof prediction === "object" && "factor" in prediction ? String(seed) : "";

/** Zeros where nobody reads them. */
function estimatesOf(
  trace: Trace,
  { prediction, worker }: GridSettings,
  kept: readonly number[],
  read: boolean,
  seed: number,
): Int32Array {
  const estimates = new Int32Array(kept.length);
  if (!read) return estimates;
  const predict = predictorOf(prediction, seed);
  const estimate = estimateBy("svf orders by it", middle);
  for (const [k, id] of kept.entries()) {
    const tokens = estimate({ predicted: predict(id, trace.output[id]) });
    const most = (worker.kvTokens + tokens) * tokens;
    if (!(tokens < 2 ** 31 && most < MOST_COUNT))
      throw new ArgumentError("prediction", "outputs that a worker might hold", tokens);
    estimates[k] = tokens;
  }
  return estimates;
}
