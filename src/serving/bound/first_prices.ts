import { MAX_TOKENS } from "../../common/numbers.ts";
import { routing } from "../routing/routing.ts";
import { scheduling } from "../scheduling/scheduling.ts";
import { simulate } from "../simulator/simulate.ts";
import type { Trace } from "../trace/trace.ts";
import type { BoundPrices } from "./bound_options.ts";
import { fluidPrices } from "./fluid_prices.ts";
import type { Pool } from "./pool.ts";
import type { TimedRequests } from "./timed_requests.ts";

/** [n] the starts of a schedule by shortest volume first, with all workers' memory and slots as one worker's. Arrivals are whole rounds. */
export async function firstStarts(trace: Trace, pool: Pool, signal: AbortSignal | undefined): Promise<Float64Array> {
  const worker = {
    slots: Math.min(pool.slots, Math.max(1, trace.requests)),
    kvTokens: Math.min(pool.memory, MAX_TOKENS),
  };
  const { start } = await simulate(trace, {
    ...{ workers: [worker], clock: "rounds", prediction: "exact", signal },
    ...{ routing: routing.roundRobin(), scheduling: scheduling.svf() },
  });
  return start;
}

/** Of memory, in what a fluid has prices for: all of it, none, and half. */
const SHARES = [1, 0.5, 0];

/**
 * Prices to begin with, one of which is best: those of the queue of a schedule, which knows how requests fit, and of fluids, which know how the queue goes on.
 *
 * @param start  [n] of a schedule, on the requests' own axis.
 */
export function firstPrices(requests: TimedRequests, start: Int32Array, pool: Pool): BoundPrices[] {
  const queue = queuePrices(requests, start, pool);
  const horizon = queue.kv.length - 1;
  const shares = queue.slot ? SHARES : [1];
  return [queue, ...shares.map((share) => fluidPrices(requests, pool, horizon, share))];
}

/**
 * As many rounds of latency as there are requests waiting could be saved by one round's whole memory, or by its slots where these are more nearly used up.
 * T is the schedule's last finish.
 */
function queuePrices({ requests, arrival, input, output }: TimedRequests, start: Int32Array, pool: Pool): BoundPrices {
  let horizon = 0;
  for (let i = 0; i < requests; i++) horizon = Math.max(horizon, start[i] + output[i]);
  const waiting = new Float64Array(horizon + 2);
  const running = new Float64Array(horizon + 2);
  const level = new Float64Array(horizon + 2);
  for (let i = 0; i < requests; i++) {
    const first = start[i] + 1;
    const after = first + output[i];
    waiting[arrival[i] + 1]++;
    waiting[first]--;
    running[first]++;
    running[after]--;
    level[first] += input[i] - start[i];
    level[after] -= input[i] - start[i];
  }
  const kv = new Float64Array(horizon + 1);
  const slot = pool.slots < Number.POSITIVE_INFINITY ? new Float64Array(horizon + 1) : undefined;
  let queue = 0;
  let batch = 0;
  let held = 0;
  for (let t = 1; t <= horizon; t++) {
    queue += waiting[t];
    batch += running[t];
    held += level[t];
    const memoryUse = (held + batch * t) / pool.memory;
    if (slot && batch / pool.slots > memoryUse) slot[t] = queue / pool.slots;
    else kv[t] = queue / pool.memory;
  }
  return slot ? { kv, slot } : { kv };
}
