import type { RequestView, RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy } from "./fcfs_router.ts";
import { mixed } from "./mixed.ts";

/** Points of a worker on the ring, as in Ketama: the shares of workers deviate from their mean by about 1 / sqrt(160) = 8 %. */
const POINTS = 160;
/** A point of the ring is hash * MOST_WORKERS + worker: in 53 bits, and sorted by the hash. */
const MOST_WORKERS = 2 ** 21;
/** The hashes of points, sessions and ids have nothing to do with each other. */
const [POINT, SESSION, ID] = [1, 2, 3];

/**
 * Consistent hashing by session, and by id for a request without one: workers and sessions are hashed onto a ring, and a session belongs to
 * the worker whose point follows its own. When a worker is added, only sessions move that become its own, about one of G + 1. Load is not
 * looked at: where requests wait at the router, the first waits for room at its own worker, and all behind it. A worker whose memory is
 * smaller than the prompt and a token is passed over, and the next on the ring taken. All routers agree, whatever their seeds.
 *
 * @throws {ArgumentError} It has no options.
 * @see D. Karger et al., Consistent hashing and random trees, STOC 1997.
 */
export function consistentHash(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("consistent hash", (workers, { queue }) => {
    const ring = ringOf(workers.count);
    return {
      keep: pointOf,
      choose(input, point: number) {
        let i = after(ring, point);
        while (!workers.holds(ring[i] % MOST_WORKERS, input)) i = (i + 1) % ring.length;
        const own = ring[i] % MOST_WORKERS;
        return queue === "router" && workers.room.of(own) < 1 ? -1 : own;
      },
    };
  });
}

function pointOf({ id, session }: RequestView): number {
  return session === undefined || session < 0 ? mixed(ID, id) : mixed(SESSION, session);
}

function ringOf(workers: number): Float64Array {
  const ring = new Float64Array(workers * POINTS);
  for (let g = 0; g < workers; g++) {
    for (let j = 0; j < POINTS; j++) ring[g * POINTS + j] = mixed(POINT, g * POINTS + j) * MOST_WORKERS + g;
  }
  return ring.sort();
}

/** Where the first point at or after the given one is; beyond the last the ring begins again. */
function after(ring: Float64Array, point: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ring[middle] < point * MOST_WORKERS) low = middle + 1;
    else high = middle;
  }
  return low === ring.length ? 0 : low;
}
