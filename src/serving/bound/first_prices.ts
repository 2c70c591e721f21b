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
 * Prices to begin with, one of which is best: as many rounds of latency as there are requests that have to wait could be saved by one
 * round's whole memory, or by its slots where these are more nearly used up. Those that wait in that round: all that do where all come at once.
 * Or all that wait from then on until nobody does: whoever comes later gains, too, if what is before him is done earlier.
 *
 * @param start  [n] of a schedule, on the requests' own axis.
 */
export function firstPrices(requests: TimedRequests, start: Int32Array, pool: Pool): BoundPrices[] {
  const { waiting, later, slotsBind } = queueOf(requests, start, pool);
  const pricesOf = (queue: Float64Array): BoundPrices => {
    const kv = queue.map((count, t) => (slotsBind[t] ? 0 : count / pool.memory));
    if (pool.slots === Number.POSITIVE_INFINITY) return { kv };
    return { kv, slot: queue.map((count, t) => (slotsBind[t] ? count / pool.slots : 0)) };
  };
  if (waiting.every((count, t) => count === later[t])) return [pricesOf(waiting)];
  const between = waiting.map((count, t) => (count + later[t]) / 2);
  return [waiting, between, later].map(pricesOf);
}

/** [T + 1] each, T the last finish. */
interface QueueOverTime {
  /** Requests that wait in a round. */
  waiting: Float64Array;
  /** Requests that begin in it or later, and wait, before the next round in which nobody does. */
  later: Float64Array;
  /** Whether its slots are more nearly used up than its memory. */
  slotsBind: Uint8Array;
}

function queueOf({ requests, arrival, input, output }: TimedRequests, start: Int32Array, pool: Pool): QueueOverTime {
  let horizon = 0;
  for (let i = 0; i < requests; i++) horizon = Math.max(horizon, start[i] + output[i]);
  const queue = { waiting: new Float64Array(horizon + 2), later: new Float64Array(horizon + 2) };
  const running = new Float64Array(horizon + 2);
  const level = new Float64Array(horizon + 2);
  for (let i = 0; i < requests; i++) {
    const first = start[i] + 1;
    const after = first + output[i];
    queue.waiting[arrival[i] + 1]++;
    queue.waiting[first]--;
    if (start[i] > arrival[i]) queue.later[start[i]]++;
    running[first]++;
    running[after]--;
    level[first] += input[i] - start[i];
    level[after] -= input[i] - start[i];
  }
  const slotsBind = new Uint8Array(horizon + 1);
  let held = 0;
  for (let t = 1; t <= horizon; t++) {
    queue.waiting[t] += queue.waiting[t - 1];
    running[t] += running[t - 1];
    held += level[t];
    if (running[t] / pool.slots > (held + running[t] * t) / pool.memory) slotsBind[t] = 1;
  }
  for (let t = horizon; t >= 1; t--) queue.later[t] = queue.waiting[t] > 0 ? queue.later[t] + queue.later[t + 1] : 0;
  return { waiting: queue.waiting.slice(0, -1), later: queue.later.slice(0, -1), slotsBind };
}
