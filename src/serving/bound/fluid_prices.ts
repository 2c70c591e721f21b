import { MinHeap } from "../min_heap.ts";
import { volumeOf } from "../scheduling/job.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { Pool } from "./pool.ts";
import type { TimedRequests } from "./timed_requests.ts";

/**
 * The prices of a fluid that may be parted at will, of memory and slots as one resource, of which request i takes
 *
 *   r_i = x volume_i / memory + (1 - x) output_i / slots     rounds;
 *
 * the least r goes first, whoever is in service. They are exact for it: with p the price of a round of everything, a request that is served at several times must be
 * served as well at one as at another,
 *
 *   t + r_i p(t) = C_i     at all times t of its service,
 *
 * p goes on evenly where a request is done, and is 0 where there is enough for all. From the end on that gives C_i at its last service, and p before. A round
 * has the price at its end.
 *
 * @param horizon  T; what is not served by then has no price.
 * @param share  x; 1 where slots have no limit.
 */
export function fluidPrices(requests: TimedRequests, pool: Pool, horizon: number, share: number): BoundPrices {
  const { input, output } = requests;
  const rounds = Float64Array.from(input, (s, i) => {
    return (share * volumeOf(s, output[i])) / pool.memory + ((1 - share) * output[i]) / pool.slots;
  });
  const { served, left, fall } = serve(requests, rounds, horizon);
  const kv = new Float64Array(horizon + 1);
  const slot = new Float64Array(horizon + 1);
  const constant = new Float64Array(requests.requests); // C_i, 0 before it is known
  let price = 0;
  for (let t = horizon; t >= 1; t--) {
    const i = served[t];
    if (i < 0) {
      price = 0;
      continue;
    }
    if (constant[i] === 0) constant[i] = t + left[t] + rounds[i] * (price + fall[t + 1]);
    price = Math.max(0, (constant[i] - t) / rounds[i]);
    kv[t] = (share * price) / pool.memory;
    slot[t] = ((1 - share) * price) / pool.slots;
  }
  return pool.slots === Number.POSITIVE_INFINITY ? { kv } : { kv, slot };
}

/**
 * [T + 2] each: who is in service at the end of a round, -1 where there was enough for all; the rounds that it still takes; and how much p has fallen in a round since
 * that of the round before was done: by 1 for each that was served as a whole, by a part for the next.
 */
function serve({ requests, arrival }: TimedRequests, rounds: Float64Array, horizon: number) {
  const served = new Int32Array(horizon + 2).fill(-1);
  const left = new Float64Array(horizon + 2);
  const fall = new Float64Array(horizon + 2);
  const rest = rounds.slice();
  const line = new MinHeap();
  const byArrival = Array.from({ length: requests }, (_, i) => i).sort((i, j) => arrival[i] - arrival[j] || i - j);
  let come = 0;
  for (let t = 1; t <= horizon; t++) {
    for (; come < requests && arrival[byArrival[come]] < t; come++) line.push(rounds[byArrival[come]], byArrival[come]);
    let spare = 1;
    let isDone = served[t - 1] < 0;
    while (line.size > 0 && rest[line.least] <= spare) {
      const id = line.pop();
      spare -= rest[id];
      if (isDone) fall[t]++;
      if (id === served[t - 1]) isDone = true;
    }
    if (line.size === 0) continue;
    const next = line.least;
    rest[next] -= spare;
    served[t] = next;
    left[t] = rest[next];
    if (isDone) fall[t] += spare / rounds[next];
  }
  return { served, left, fall };
}
