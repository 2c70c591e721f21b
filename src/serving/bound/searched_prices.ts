import type { Trace } from "../trace/trace.ts";
import type { BoundOptions, BoundPrices } from "./bound_options.ts";
import { latencyBound } from "./latency_bound.ts";

/** Prices of starts that are not to be undone, whatever preemption could do; the same on every machine. */
export async function searchedPrices(
  trace: Trace,
  { kvTokens, workers, slots, signal }: BoundOptions & { signal?: AbortSignal },
  evaluations: number,
): Promise<BoundPrices> {
  return (await latencyBound(trace, { kvTokens, workers, slots, evaluations, backend: "cpu", signal })).prices;
}
