import { improveSchedule } from "../../serving/bound/improve_schedule.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import type { BoundedRequests } from "./bounded_requests.ts";
import { type BoundSearch, type MeanBound, meanBound } from "./mean_bound.ts";
import { type PriceCurve, priceCurve } from "./price_curve.ts";
import { REFERENCE } from "./routes.ts";
import { combinationsOf, type Schedule } from "./schedules.ts";
import { earliestEnd } from "./simulation_bound.ts";
import { type SimulationReport, simulateAll } from "./simulation_report.ts";
import type { Setting } from "./simulation_setting.ts";

/** What is bounded, and what its simulations are of. */
export interface BoundSetting extends Omit<Setting, "slots"> {
  /** Without, as many as memory holds. */
  slots?: number;
}

export interface Found {
  schedule: string;
  /** Mean latency, s or rounds. */
  mean: number;
  /** Over the bound. */
  overBound: number;
}

/** When something is dearest, and what one more of it would save then in each round, or s. */
export interface Dearest {
  /** s, or rounds. */
  from: number;
  to: number;
  /** Rounds or s of latency. */
  price: number;
}

/** Everything that `bound` has to say; `bound --json` prints it as it is. */
export interface BoundReport extends BoundSetting {
  bound: Omit<MeanBound, "prices" | "steps"> & {
    /** s, or rounds: of all requests together. */
    total: number;
    /** s that a round of the prices lasts; 1 with rounds. */
    round: number;
    /** That the search took. */
    seconds: number;
  };
  /** What schedules come to, all outputs being known. */
  schedules: Found[];
  /** KV memory, of a token, a slot, and a worker; undefined where there is always enough, or a worker's time has no price. */
  dearest: { kv?: Dearest; slot?: Dearest; worker?: Dearest };
}

/** First come first served, two that know outputs, and what more is known to be good. */
const compared: readonly Schedule[] = ["fcfs", "mcsf", "svf"];

export interface Bounding {
  report: BoundReport;
  /** With the proof. */
  found: MeanBound;
  /** Where prices prove it. */
  prices?: PriceCurve;
}

/** The shares of the work that are done after the simulations, which are soon done, and after the search for the bound. */
const SIMULATED = 0.1;
const BOUNDED = 0.7;

/**
 * @param trace  the requests, with their arrivals.
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function boundReport(
  trace: Trace,
  bounded: BoundedRequests,
  setting: BoundSetting,
  search: Pick<BoundSearch, "evaluations" | "backend" | "signal">,
  onProgress: (share: number) => void,
): Promise<Bounding> {
  const simulated = await simulatedOf(trace, setting, search.signal, (share) => onProgress(SIMULATED * share));
  const begun = performance.now();
  const found = await meanBound(bounded, {
    ...search,
    until: earliestEnd(simulated, 0),
    onProgress: (share) => onProgress(SIMULATED + (BOUNDED - SIMULATED) * share),
  });
  const seconds = (performance.now() - begun) / 1e3;
  const { prices: _, steps: __, ...bound } = found;
  const { round, requests } = bounded;
  const prices = priceCurve(found, round, simulated);
  const means: Omit<Found, "overBound">[] = simulated.policies.map(({ schedule, figures }) => ({
    ...{ schedule, mean: figures["latency.mean"]!.mean },
  }));
  if (setting.clock === "rounds") {
    const mean = await improvedMean(bounded, found, setting, search.signal, (share) =>
      onProgress(BOUNDED + (1 - BOUNDED) * share),
    );
    means.push({ schedule: "best found", mean });
  }
  const schedules = means.map((one) => ({ ...one, overBound: one.mean / bound.mean }));
  const report = {
    ...{ ...setting, schedules, dearest: prices ? dearestOf(prices) : {} },
    bound: { ...bound, total: bound.mean * requests, round, seconds },
  };
  return { report, found, prices };
}

/** Steps of the search for a schedule: for each request, and at the most. */
const STEPS_PER_REQUEST = 500;
const MOST_STEPS = 500_000;

/** Mean latency of a schedule that is searched with all requests known: in rounds, since its starts fit no other steps. */
async function improvedMean(
  { trace, options }: BoundedRequests,
  { prices }: MeanBound,
  { seeds: [seed] }: BoundSetting,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<number> {
  const iterations = Math.min(MOST_STEPS, STEPS_PER_REQUEST * trace.requests);
  return (await improveSchedule(trace, { ...options, prices, iterations, seed, signal, onProgress })).mean;
}

/** Arrivals are those of the trace. */
async function simulatedOf(
  trace: Trace,
  { rate: _, ...setting }: BoundSetting,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<SimulationReport> {
  const { slots = Math.max(1, trace.requests) } = setting;
  const all = combinationsOf([REFERENCE], compared, true);
  return (await simulateAll(trace, { ...setting, slots }, all, undefined, onProgress, signal)).report;
}

/** Parts of the time that are looked at, as a price by itself says little. */
const PARTS = 400;

function dearestOf({ kv, slot, worker, round }: PriceCurve): BoundReport["dearest"] {
  const all = { kv, slot, worker };
  const found = Object.entries(all).map(([name, price]) => [name, price && dearest(price, round)] as const);
  return Object.fromEntries(found.filter(([, one]) => one !== undefined));
}

function dearest(price: Float64Array, round: number): Dearest | undefined {
  const size = Math.max(1, Math.ceil((price.length - 1) / PARTS));
  let most: Dearest | undefined;
  for (let first = 1; first < price.length; first += size) {
    const part = price.subarray(first, first + size);
    const mean = part.reduce((sum, one) => sum + one, 0) / part.length;
    if (mean > (most?.price ?? 0))
      most = { from: (first - 1) * round, to: (first - 1 + part.length) * round, price: mean };
  }
  return most;
}
