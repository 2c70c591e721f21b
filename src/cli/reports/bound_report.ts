import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import type { BoundedRequests } from "./bounded_requests.ts";
import { REFERENCE } from "./routes.ts";
import { combinationsOf, type Schedule } from "./schedules.ts";
import { type MeanBound, meanBound, type PriceCurve } from "./simulation_bound.ts";
import { type Setting, simulateAll } from "./simulation_report.ts";

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
  bound: Omit<MeanBound, "prices"> & {
    /** s, or rounds: of all requests together. */
    total: number;
    /** s that a round of the prices lasts; 1 with rounds. */
    round: number;
    /** That the search took. */
    seconds: number;
  };
  /** What schedules come to, all outputs being known. */
  schedules: Found[];
  /** KV memory, of a token, and a slot; undefined where there is always enough. */
  dearest: { kv?: Dearest; slot?: Dearest };
}

/** First come first served, two that know outputs, and what more is known to be good. */
const compared: readonly Schedule[] = ["fcfs", "mcsf", "svf"];

export interface Search {
  evaluations: number;
  backend: "auto" | "webgpu" | "cpu";
  signal: AbortSignal;
}

/** The share of the work that is done by the search; the simulations are soon done. */
const SEARCH = 0.9;

/**
 * @param trace  the requests, with their arrivals.
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function boundReport(
  trace: Trace,
  bounded: BoundedRequests,
  setting: BoundSetting,
  search: Search,
  onProgress: (share: number) => void,
): Promise<{ report: BoundReport; prices: PriceCurve }> {
  const begun = performance.now();
  const { prices, ...bound } = await meanBound(bounded, {
    ...search,
    onProgress: (share) => onProgress(SEARCH * share),
  });
  const seconds = (performance.now() - begun) / 1e3;
  const { round, requests } = bounded;
  const schedules = await schedulesOf(trace, setting, search.signal, (share) =>
    onProgress(SEARCH + (1 - SEARCH) * share),
  );
  return {
    report: {
      ...setting,
      bound: { ...bound, total: bound.mean * requests, round, seconds },
      schedules: schedules.map((one) => ({ ...one, overBound: one.mean / bound.mean })),
      dearest: bound.proof === "prices" ? dearestOf(prices, round) : {},
    },
    prices: { ...prices, round },
  };
}

/** Arrivals are those of the trace. */
async function schedulesOf(
  trace: Trace,
  { rate: _, ...setting }: BoundSetting,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<Omit<Found, "overBound">[]> {
  const { slots = Math.max(1, trace.requests) } = setting;
  const all = combinationsOf([REFERENCE], compared, true);
  const { report } = await simulateAll(trace, { ...setting, slots }, all, undefined, onProgress, signal);
  return report.policies.map(({ schedule, figures }) => ({ schedule, mean: figures["latency.mean"]!.mean }));
}

/** Parts of the time that are looked at, as a price by itself says little. */
const PARTS = 400;

function dearestOf({ kv, slot }: BoundPrices, round: number): BoundReport["dearest"] {
  const [ofKv, ofSlot] = [dearest(kv, round), slot && dearest(slot, round)];
  return { ...(ofKv && { kv: ofKv }), ...(ofSlot && { slot: ofSlot }) };
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
