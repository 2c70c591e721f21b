import { Pauses } from "../../common/pauses.ts";
import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import { latencyBound } from "../../serving/bound/latency_bound.ts";
import type { StepPrices } from "../../serving/bound/shared_steps.ts";
import { searchStepPrices, stepBound } from "../../serving/bound/step_prices.ts";
import type { BoundedRequests } from "./bounded_requests.ts";

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
