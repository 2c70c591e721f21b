import { ArgumentError } from "../../common/errors.ts";
import { Pauses } from "../../common/pauses.ts";
import type { Trace } from "../trace/trace.ts";
import { type BoundOptions, type BoundPrices, boundSettings } from "./bound_options.ts";
import { volumeSchedule, waitingPrices } from "./list_schedule.ts";
import { roundRequests, type Schedule, totalLatency } from "./round_requests.ts";
import { checkPrices } from "./start_costs.ts";
import { StartSearch } from "./start_search.ts";

export interface OptimumOptions extends BoundOptions {
  /** Any make it exact, good ones fast: those of `latencyBound`, or (default) requests that wait under SVF per token of memory. */
  prices?: BoundPrices;
  /** Nodes after which the search gives up; 10 million by default. */
  nodes?: number;
  signal?: AbortSignal;
}

export interface LatencyOptimum extends Schedule {
  /** Rounds: sum over the requests of start + output - arrival. */
  total: number;
  /** No schedule's total is less. */
  bound: number;
  /** total is proven to be the least: it is the bound. */
  optimal: boolean;
  /** Nodes of the search tree that were visited. */
  nodes: number;
}

const MOST_REQUESTS = 30;
const MOST_NODES = 1e7;

/**
 * The least total latency of a trace whose outputs are known, of all schedules in rounds: for small traces, up to ten requests or so, as the work grows
 * exponentially. Others want `latencyBound` and `improveSchedule`, which close in on it from both sides.
 *
 * Branch and bound over starts and workers, by the Lagrangian of the hindsight program. A schedule that evicts, and begins again with the prompt, is no better:
 * without what is thrown away each request makes its last run alone, no later, and takes less memory.
 *
 * @returns start, worker [n]: the request makes its tokens in the rounds start + 1 .. start + output.
 * @throws {ArgumentError} An option or the trace is out of range; more than 30 requests; preemption "resume", whose schedules are no starts but sets of
 * rounds: not handled.  @throws the signal's reason.
 * @see Jaillet et al., arXiv 2502.07115 (the program).
 */
export async function latencyOptimum(trace: Trace, options: OptimumOptions): Promise<LatencyOptimum> {
  const settings = boundSettings(trace, options, { prices: true, nodes: true, signal: true });
  const { nodes = MOST_NODES, signal } = options;
  if (settings.resume)
    throw new ArgumentError("preemption", '"restart", as with "resume" tokens may be made in any rounds', "resume");
  if (trace.requests > MOST_REQUESTS)
    throw new ArgumentError(
      "trace.requests",
      `at most ${MOST_REQUESTS}, as the search grows exponentially`,
      trace.requests,
    );
  if (!(Number.isSafeInteger(nodes) && nodes >= 1)) throw new ArgumentError("nodes", "an integer >= 1", nodes);
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function")
    throw new ArgumentError("signal", "an AbortSignal", signal);
  if (options.prices !== undefined) checkPrices(options.prices);
  const requests = roundRequests(trace, settings);
  const best = volumeSchedule(requests, settings);
  const prices = options.prices ?? waitingPrices(requests, settings, best);
  const search = new StartSearch(requests, settings, best, prices, nodes);
  const pauses = new Pauses(signal);
  signal?.throwIfAborted();
  for (const _ of search.run()) if (pauses.due) await pauses.take();
  return {
    total: totalLatency(requests, best.start),
    bound: search.bound + requests.offset,
    optimal: search.proven,
    nodes: search.nodes,
    ...best,
  };
}
