import { Pauses } from "../../common/pauses.ts";
import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import { latencyBound } from "../../serving/bound/latency_bound.ts";
import type { StepPrices } from "../../serving/bound/shared_steps.ts";
import { searchStepPrices, stepBound } from "../../serving/bound/step_prices.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { type BoundedRequests, boundedRequests } from "./bounded_requests.ts";
import { type PriceCurve, priceCurve } from "./price_curve.ts";
import { type SimulationReport, traceOf } from "./simulation_report.ts";

/**
 * What proves a bound: "prices" of memory and slots, round by round; "steps": prices of workers' time, too, with steps as long as those that share them
 * make them; "alone": what requests take that have a worker each.
 */
export type Proof = "prices" | "steps" | "alone";

export interface SimulationBound {
  /** s, or rounds: no schedule of the requests that count has a lower mean latency; of several seeds, the mean. */
  mean: number;
  /** [seeds] */
  means: number[];
  /** Of the first seed. */
  proof: Proof;
  /** s that a round of "prices" lasts; 1 with rounds. */
  round: number;
  /** Most of a seed, of "prices". */
  evaluations: number;
}

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

export interface MeanBound extends Pick<SimulationBound, "mean" | "proof" | "evaluations"> {
  backend: "webgpu" | "cpu";
  prices: BoundPrices;
  /** In seconds. */
  steps?: StepPrices;
}

export interface BoundSearch {
  evaluations: number;
  backend: "auto" | "webgpu" | "cpu";
  /** When a good schedule is done. */
  until: number;
  signal: AbortSignal;
  onProgress: (share: number) => void;
}

/** The largest of what can be proven. */
export async function meanBound(bounded: BoundedRequests, { until, ...search }: BoundSearch): Promise<MeanBound> {
  const { shared } = bounded;
  const steps =
    shared && until > 0
      ? await searchStepPrices(shared.requests, shared.pool, until, new Pauses(search.signal))
      : undefined;
  const { total, prices, evaluations, backend } = await latencyBound(bounded.trace, { ...bounded.options, ...search });
  return { ...(await proven(bounded, total, steps, search.signal)), prices, evaluations, backend, steps };
}

/**
 * @param total  rounds that prices prove of `bounded.trace`.
 * @param steps  other prices, in seconds.
 */
export async function proven(
  bounded: BoundedRequests,
  total: number,
  steps: StepPrices | undefined,
  signal: AbortSignal,
): Promise<Pick<SimulationBound, "mean" | "proof">> {
  const { shared } = bounded;
  const all: Pick<SimulationBound, "mean" | "proof">[] = [
    { proof: "alone", mean: bounded.alone },
    { proof: "prices", mean: bounded.meanFrom(total) },
  ];
  if (shared && steps) {
    const mean = shared.meanFrom(await stepBound(shared.requests, shared.pool, steps, new Pauses(signal)));
    all.push({ proof: "steps", mean });
  }
  return all.reduce((best, one) => (one.mean > best.mean ? one : best));
}
