import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { Pauses } from "../../common/pauses.ts";
import type { Trace } from "../trace/trace.ts";
import { type BoundOptions, type BoundPrices, boundSettings } from "./bound_options.ts";
import { volumeSchedule } from "./list_schedule.ts";
import { ResumeSearch } from "./resume_search.ts";
import { roundRequests, type Schedule, totalLatency } from "./round_requests.ts";
import { searchedPrices } from "./searched_prices.ts";
import { checkPrices } from "./start_costs.ts";
import { StartSearch } from "./start_search.ts";

export interface OptimumOptions extends BoundOptions {
  /** Any make it exact, good ones fast: by default those of a `latencyBound` of 200 evaluations. */
  prices?: BoundPrices;
  /** Nodes of the search, or states, after which it gives up; 10 million by default. */
  nodes?: number;
  signal?: AbortSignal;
}

export interface LatencyOptimum {
  /** Rounds: sum over the requests of start + output - arrival. */
  total: number;
  /** No schedule's total is less. */
  bound: number;
  /** total is proven to be the least: it is the bound. */
  optimal: boolean;
  /** Nodes of the search tree, or states, that were visited. */
  nodes: number;
}

const MOST_REQUESTS = 30;
const MOST_NODES = 1e7;
/** Of D, for prices: what a node costs hundreds of. */
const EVALUATIONS = 200;

/**
 * The least total latency of a trace whose outputs are known, of all schedules in rounds: for small traces, up to ten requests or so, as the work grows
 * exponentially. Others want `latencyBound` and `improveSchedule`, which close in on it from both sides.
 *
 * Preemption "restart": branch and bound over starts and workers, by the Lagrangian of the hindsight program. A schedule that evicts, and begins again with the prompt,
 * is no better: without what is thrown away each request makes its last run alone, no later, and takes less memory.
 *
 * Preemption "resume": a token may be made in any round, on any worker, and takes memory, of the prompt and the tokens up to it, and a slot in that round
 * alone. All sets of requests that fit are tried, round by round, without prices.
 *
 * @returns for "restart" start, worker [n]: the request makes its tokens in the rounds start + 1 .. start + output.
 * @throws {ArgumentError} An option or the trace is out of range; more than 30 requests; with "resume" a product of (output + 1) of 2^53 or
 * more.  @throws the signal's reason.
 * @see Jaillet et al., arXiv 2502.07115 (the program).
 */
export async function latencyOptimum(
  trace: Trace,
  options: OptimumOptions & { preemption?: "restart" },
): Promise<LatencyOptimum & Schedule>;
export async function latencyOptimum(trace: Trace, options: OptimumOptions): Promise<LatencyOptimum>;
export async function latencyOptimum(trace: Trace, options: OptimumOptions): Promise<LatencyOptimum> {
  const settings = boundSettings(trace, options, { prices: true, nodes: true, signal: true });
  checkCall(trace, options);
  const { nodes = MOST_NODES, signal } = options;
  const requests = roundRequests(trace, settings);
  const pauses = new Pauses(signal);
  signal?.throwIfAborted();
  const best = await volumeSchedule(requests, settings, pauses);
  if (settings.resume) {
    const sum = best.start.reduce((sum, k, i) => sum + k + trace.output[i], 0);
    const search = new ResumeSearch(requests, settings, sum, nodes);
    for (const _ of search.run()) if (pauses.due) await pauses.take();
    const arrivals = trace.arrival.reduce((sum, a) => sum + a, 0);
    const bound = Math.min(search.open, search.best) - arrivals;
    return { total: search.best - arrivals, bound, optimal: search.open >= search.best, nodes: search.nodes };
  }
  const prices = options.prices ?? (await searchedPrices(trace, options, EVALUATIONS));
  const search = new StartSearch(requests, settings, best, prices, nodes);
  for (const _ of search.run()) if (pauses.due) await pauses.take();
  const total = totalLatency(requests, best.start);
  const bound = search.bound + requests.offset;
  return { total, bound, optimal: search.proven, nodes: search.nodes, ...best };
}

function checkCall({ requests }: Trace, { nodes = MOST_NODES, signal, prices }: OptimumOptions): void {
  if (requests > MOST_REQUESTS)
    throw new ArgumentError("trace.requests", `at most ${MOST_REQUESTS}, as the search grows exponentially`, requests);
  if (!(Number.isSafeInteger(nodes) && nodes >= 1)) throw new ArgumentError("nodes", "an integer >= 1", nodes);
  requireCalls({ signal });
  if (prices !== undefined) checkPrices(prices);
}
