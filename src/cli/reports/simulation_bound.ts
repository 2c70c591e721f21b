import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import { latencyBound } from "../../serving/bound/latency_bound.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { type BoundedRequests, boundedRequests } from "./bounded_requests.ts";
import { type SimulationReport, traceOf } from "./simulation_report.ts";

export interface SimulationBound {
  /** s, or rounds: no schedule of the requests that count has a lower mean latency; of several seeds, the mean. */
  mean: number;
  /** [seeds] */
  means: number[];
  /** What proves it, of the first seed: prices of memory and slots, or how long the requests take that have a worker each. */
  proof: "prices" | "alone";
  /** s that a round of the prices lasts; 1 with rounds. */
  round: number;
  /** Most of a seed. */
  evaluations: number;
}

/** Prices of the first seed, in rounds that last `round`. */
export interface PriceCurve extends BoundPrices {
  round: number;
}

export interface Bounded {
  report: SimulationReport;
  /** Where they prove the bound. */
  prices?: PriceCurve;
}

/** Starts of requests that are tried at the most where nobody says how long to search: some seconds. */
const TRIED = 3e8;
const MOST_EVALUATIONS = 1000;

/**
 * Adds to a report what no schedule beats, and how far each policy is above it.
 *
 * @param evaluations  for each seed; by default as many as take some seconds in all, which is told by the latencies and not by the clock, so that the same
 *                     simulation has the same bound.
 */
export async function withBound(
  recorded: Trace,
  report: SimulationReport,
  evaluations: number | undefined,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Bounded> {
  const { rate, drawn } = report;
  // Where nothing is drawn all seeds have the same requests.
  const seeds = drawn || typeof rate === "number" ? report.seeds : report.seeds.slice(0, 1);
  const means: number[] = [];
  const most: number[] = [];
  let first: { proof: SimulationBound["proof"]; prices?: PriceCurve; round: number } | undefined;
  for (const [s, seed] of seeds.entries()) {
    const bounded = boundedRequests(traceOf(recorded, report, seed), report);
    if (typeof bounded === "string") return { report: { ...report, bound: { none: bounded } } };
    const found = await meanBound(bounded, {
      ...{
        evaluations: evaluations ?? Math.ceil(evaluationsOf(report, bounded) / seeds.length),
        backend: "cpu",
        signal,
      },
      onProgress: (share) => onProgress((s + share) / seeds.length),
    });
    means.push(found.mean);
    most.push(found.evaluations);
    first ??= { proof: found.proof, round: bounded.round, prices: { ...found.prices, round: bounded.round } };
  }
  const all = report.seeds.map((_, s) => means[s] ?? means[0]);
  const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
  const { proof, round, prices } = first!;
  return {
    report: {
      ...report,
      bound: { mean, means: all, proof, round, evaluations: Math.max(...most) },
      policies: report.policies.map((one) => ({ ...one, overBound: one.figures["latency.mean"]!.mean / mean })),
    },
    ...(proof === "prices" && { prices }),
  };
}

/** A start is tried for each round that a request waits in a good schedule. */
function evaluationsOf({ policies }: SimulationReport, { requests, round }: BoundedRequests): number {
  const least = Math.min(...policies.map(({ figures }) => figures["latency.mean"]!.mean)) / round;
  return Math.min(MOST_EVALUATIONS, Math.ceil(TRIED / (requests * Math.max(1, least))));
}

export interface MeanBound extends Pick<SimulationBound, "mean" | "proof" | "evaluations"> {
  backend: "webgpu" | "cpu";
  prices: BoundPrices;
}

/** The larger of what prices prove, and of what each takes alone. */
export async function meanBound(
  bounded: BoundedRequests,
  search: {
    evaluations: number;
    backend: "auto" | "webgpu" | "cpu";
    signal: AbortSignal;
    onProgress: (share: number) => void;
  },
): Promise<MeanBound> {
  const { total, prices, evaluations, backend } = await latencyBound(bounded.trace, { ...bounded.options, ...search });
  return { ...proven(bounded, total), prices, evaluations, backend };
}

/** @param total  rounds that prices prove of `bounded.trace`. */
export function proven(bounded: BoundedRequests, total: number): Pick<SimulationBound, "mean" | "proof"> {
  const mean = bounded.meanFrom(total);
  return mean > bounded.alone ? { mean, proof: "prices" } : { mean: bounded.alone, proof: "alone" };
}
