/** Twin of shaders/serving/replay_router.wgsl: which worker a request is sent to. */
import { waitAt } from "./replay_admission.ts";
import { BFIO, freeKv, LEAST_KV, NONE, type Replayed, type ReplayWorker } from "./replay_state.ts";
import { wake } from "./replay_steps.ts";

/** Of the requests that wait, BF-IO looks at the earliest so many. */
const WINDOW = 1024;

/** A request comes: it is sent to a worker, or waits here with BF-IO. */
export function route(r: Replayed, id: number, now: number): void {
  const { requests, workers } = r;
  if (r.scenario.routing === BFIO) {
    requests.next[id] = NONE;
    requests.previous[id] = r.lastAtRouter;
    if (r.lastAtRouter === NONE) r.firstAtRouter = id;
    else requests.next[r.lastAtRouter] = id;
    r.lastAtRouter = id;
    r.ask = true;
  } else if (r.scenario.routing === LEAST_KV) {
    send(r, id, leastLoaded(workers), now);
  } else {
    send(r, id, r.nextWorker, now);
    r.nextWorker = (r.nextWorker + 1) % workers.length;
  }
}

function send(r: Replayed, id: number, g: number, now: number): void {
  r.requests.turn[id] = r.sent++;
  waitAt(r, r.workers[g], id, false);
  wake(r, r.workers[g], now);
}

/** KV tokens of those that run and wait there. */
const loadOf = (w: ReplayWorker): number => w.held + w.waitingTokens;

function leastLoaded(workers: readonly ReplayWorker[]): number {
  let best = 0;
  for (let g = 1; g < workers.length; g++) if (loadOf(workers[g]) < loadOf(workers[best])) best = g;
  return best;
}

/**
 * BF-IO at H = 0, a request at a time: the least loaded of the workers with a free slot takes, of those that wait and fit there, the one with the largest
 *
 *   F(s) = s - G max(0, s - m),   m = the largest load of the others - its own      [Chen et al., arXiv 2605.06113]
 *
 * of equals the shorter, then the earlier. With one worker the earliest goes first.
 */
export function fill(r: Replayed, now: number): void {
  const { setting, workers } = r;
  r.ask = false;
  for (const w of workers) {
    w.room = setting.slots - w.running - w.waiting;
    w.freeTokens = freeKv(r, w);
  }
  while (r.firstAtRouter !== NONE) {
    const g = leastLoadedWithRoom(workers);
    if (g === NONE) return;
    const id = bestFor(r, g);
    if (id === NONE) {
      workers[g].room = 0;
      continue;
    }
    workers[g].room--;
    workers[g].freeTokens -= setting.input[id] + 1;
    leave(r, id);
    send(r, id, g, now);
  }
}

function leastLoadedWithRoom(workers: readonly ReplayWorker[]): number {
  let best = NONE;
  for (let g = 0; g < workers.length; g++) {
    if (workers[g].room <= 0) continue;
    if (best === NONE || loadOf(workers[g]) < loadOf(workers[best])) best = g;
  }
  return best;
}

/** Of those that wait here, the one for worker g: the longest up to the margin, or the shortest beyond it. */
function bestFor({ setting, requests, workers, firstAtRouter }: Replayed, g: number): number {
  const { input } = setting;
  let most = 0;
  for (let other = 0; other < workers.length; other++) if (other !== g) most = Math.max(most, loadOf(workers[other]));
  const margin = most - loadOf(workers[g]);
  let below = NONE;
  let above = NONE;
  let seen = 0;
  for (let id = firstAtRouter; id !== NONE && seen < WINDOW; id = requests.next[id]) {
    seen++;
    if (input[id] + 1 > workers[g].freeTokens) continue;
    if (workers.length === 1) return id;
    if (input[id] <= margin) {
      if (below === NONE || input[id] > input[below]) below = id;
    } else if (above === NONE || input[id] < input[above]) above = id;
  }
  if (below === NONE || above === NONE) return below === NONE ? above : below;
  return workers.length * (input[above] - margin) < input[above] - input[below] ? above : below;
}

function leave(r: Replayed, id: number): void {
  const { next, previous } = r.requests;
  if (previous[id] === NONE) r.firstAtRouter = next[id];
  else next[previous[id]] = next[id];
  if (next[id] === NONE) r.lastAtRouter = previous[id];
  else previous[next[id]] = previous[id];
}
