import type { Trace } from "../../serving/trace/trace.ts";
import { type BoundedRequests, boundedRequests } from "./bounded_requests.ts";
import { type MeanBound, meanBound } from "./mean_bound.ts";
import { type PriceCurve, priceCurve } from "./price_curve.ts";
import { type SimulationReport, traceOf } from "./simulation_report.ts";

export interface Bounded {
  report: SimulationReport;
  /** Of the first seed, where they prove the bound. */
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
  const found: MeanBound[] = [];
  let round = 1;
  for (const [s, seed] of seeds.entries()) {
    const bounded = boundedRequests(traceOf(recorded, report, seed), report);
    if (typeof bounded === "string") return { report: { ...report, bound: { none: bounded } } };
    found.push(
      await meanBound(bounded, {
        evaluations: evaluations ?? Math.ceil(evaluationsOf(report, bounded) / seeds.length),
        ...{ until: earliestEnd(report, s), backend: "cpu", signal },
        onProgress: (share) => onProgress((s + share) / seeds.length),
      }),
    );
    if (s === 0) round = bounded.round;
  }
  const means = report.seeds.map((_, s) => (found[s] ?? found[0]).mean);
  const mean = means.reduce((sum, one) => sum + one, 0) / means.length;
  const most = Math.max(...found.map((one) => one.evaluations));
  return {
    report: {
      ...report,
      bound: { mean, means, proof: found[0].proof, round, evaluations: most },
      policies: report.policies.map((one) => ({ ...one, overBound: one.figures["latency.mean"]!.mean / mean })),
    },
    prices: priceCurve(found[0], round, report),
  };
}

/** When the policy is done that is so first. */
export const earliestEnd = ({ policies }: SimulationReport, seed: number): number =>
  Math.min(...policies.map(({ summaries }) => summaries[seed].makespan));

/** A start is tried for each round that a request waits in a good schedule. */
function evaluationsOf({ policies }: SimulationReport, { requests, round }: BoundedRequests): number {
  const least = Math.min(...policies.map(({ figures }) => figures["latency.mean"]!.mean)) / round;
  return Math.min(MOST_EVALUATIONS, Math.ceil(TRIED / (requests * Math.max(1, least))));
}
