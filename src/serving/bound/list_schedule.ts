import type { Pauses } from "../../common/pauses.ts";
import type { Job } from "../scheduling/job.ts";
import { PricedLine } from "../scheduling/priced_line.ts";
import type { BoundSettings } from "./bound_options.ts";
import type { RoundRequests, Schedule } from "./round_requests.ts";
import { RoundUsage } from "./round_usage.ts";
import { StartCosts } from "./start_costs.ts";

/**
 * The schedule of the price policy with perfect predictions, of all workers together: in each round those whose start is good, in order of their volume, until one
 * fits on no worker; on the worker that holds least of those on which it fits. With prices of 0 that is SVF.
 *
 * @throws the signal's reason, of the pauses.
 */
export async function listSchedule(
  requests: RoundRequests,
  { workers, kvTokens, slots }: BoundSettings,
  costs: StartCosts,
  tolerance: number,
  pauses: Pauses,
): Promise<Schedule> {
  const { count, release, input, output } = requests;
  const start = new Int32Array(count);
  const worker = new Int32Array(count);
  const usage = new RoundUsage(workers, kvTokens, slots);
  const line = new PricedLine(costs, tolerance);
  let come = 0;
  for (let left = count, now = 0; left > 0; ) {
    line.now = now;
    if (pauses.due) await pauses.take();
    for (; come < count && release[come] <= now; come++) {
      if (pauses.due) await pauses.take();
      line.push(jobOf(requests, come));
    }
    let job = line.first;
    for (; job !== undefined; job = line.first) {
      const { id } = job;
      const g = leastLoaded(usage, workers, job, now);
      if (g < 0) break;
      line.pop();
      usage.add(g, input[id], output[id], now);
      start[id] = now;
      worker[id] = g;
      left--;
    }
    const next = job === undefined ? line.wakes : now + 1;
    now = come < count ? Math.min(next, release[come]) : next;
  }
  return { start, worker };
}

function leastLoaded(usage: RoundUsage, workers: number, { input, estimate }: Job, now: number): number {
  let best = -1;
  for (let g = 0; g < workers; g++) {
    if (best >= 0 && usage.tokensIn(g, now + 1) >= usage.tokensIn(best, now + 1)) continue;
    if (usage.fits(g, input, estimate, now)) best = g;
  }
  return best;
}

function jobOf({ input, output }: RoundRequests, id: number): Job {
  const idle = { generated: 0, key: 0, waits: true, profiled: false, base: 0, end: 0 };
  return { id, turn: id, input: input[id], estimate: output[id], ...idle };
}

/** Shortest volume first. */
export const volumeSchedule = (requests: RoundRequests, settings: BoundSettings, pauses: Pauses): Promise<Schedule> =>
  listSchedule(requests, settings, new StartCosts({ kv: new Float64Array(1) }), 0, pauses);
