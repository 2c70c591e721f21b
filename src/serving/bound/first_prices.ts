import { routing } from "../routing/routing.ts";
import { scheduling } from "../scheduling/scheduling.ts";
import { simulate } from "../simulator/simulate.ts";
import type { Trace } from "../trace/trace.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { TimedRequests } from "./timed_requests.ts";

/** What there is of a round: all workers' memory and slots. */
export interface Pool {
  /** G M, KV tokens. */
  memory: number;
  /** G B; Infinity without a limit. */
  slots: number;
}

/** [n] the starts of a schedule by shortest volume first, with all workers' memory and slots as one worker's. Arrivals are whole rounds. */
export async function firstStarts(trace: Trace, pool: Pool, signal: AbortSignal | undefined): Promise<Float64Array> {
  const worker = { slots: Math.min(pool.slots, Math.max(1, trace.requests)), kvTokens: pool.memory };
  const { start } = await simulate(trace, {
    ...{ workers: [worker], clock: "rounds", prediction: "exact", signal },
    ...{ routing: routing.roundRobin(), scheduling: scheduling.svf() },
  });
  return start;
}

/**
 * Prices to begin with: as many rounds of latency as there are requests waiting could be saved by one round's whole memory, or by its slots
 * where these are more nearly used up.
 *
 * @param start  [n] of a schedule, on the requests' own axis.
 */
export function firstPrices(requests: TimedRequests, start: Int32Array, pool: Pool): BoundPrices {
  const { arrival, input, output } = requests;
  let horizon = 0;
  for (let i = 0; i < requests.requests; i++) horizon = Math.max(horizon, start[i] + output[i]);
  const waiting = new Float64Array(horizon + 2);
  const running = new Float64Array(horizon + 2);
  const level = new Float64Array(horizon + 2);
  for (let i = 0; i < requests.requests; i++) {
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
