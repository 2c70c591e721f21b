/** Twin of shaders/serving/replay_admission.wgsl: who waits for a worker, who begins, and who has to go. */
import {
  appendRunning,
  insertExpected,
  popWaiting,
  pushWaiting,
  removeEnding,
  removeExpected,
  removeRunning,
} from "./replay_lists.ts";
import {
  asks,
  FCFS,
  freeKv,
  NONE,
  PRIORITY,
  type Replayed,
  type ReplayWorker,
  SJF,
  SVF,
  tokensAtStart,
} from "./replay_state.ts";

/** Tokens that it is taken to make from its start on. */
const toGo = ({ scenario, requests }: Replayed, id: number): number =>
  Math.max(1, scenario.estimate[id] - requests.made[id]);

/** What it is ordered by while it waits: the least goes first. */
function orderOf(r: Replayed, id: number, evicted: boolean): number {
  switch (r.scenario.scheduling) {
    case SJF:
      return r.setting.input[id];
    case PRIORITY:
      return r.setting.rank[id];
    case SVF: {
      const rounds = toGo(r, id);
      return tokensAtStart(r, id) * rounds + (rounds * (rounds + 1)) / 2;
    }
    case FCFS:
      return evicted ? r.front-- : r.requests.turn[id];
    default:
      throw new Error(`No scheduling ${r.scenario.scheduling}.`);
  }
}

export function waitAt(r: Replayed, w: ReplayWorker, id: number, evicted: boolean): void {
  w.waiting++;
  w.waitingTokens += tokensAtStart(r, id);
  w.ask = true;
  r.requests.key[id] = orderOf(r, id, evicted);
  pushWaiting(r.requests, w, id);
}

/** KV tokens of one that runs: what is left of its estimate tells what it has made. */
const heldBy = ({ setting, scenario, requests }: Replayed, w: ReplayWorker, id: number): number =>
  setting.input[id] + scenario.estimate[id] - (requests.expectedEnd[id] - w.steps);

/**
 * Whether memory suffices at its own expected end, and at those before it: for each such tau steps ahead
 *
 *   sum over those expected to run then, itself too, of (held + tau)  <=  M
 */
function fitsLater(r: Replayed, w: ReplayWorker, id: number): boolean {
  const { requests } = r;
  const { kvTokens } = r.setting;
  const own = toGo(r, id);
  let held = tokensAtStart(r, id);
  let count = 1;
  let checked = false;
  // From the last expected end to the first.
  let at = w.expectedLast;
  while (at !== NONE) {
    const tau = requests.expectedEnd[at] - w.steps;
    if (tau <= 0) break; // it should have ended, and is taken to do so with the next step
    if (tau < own && !checked) {
      if (held + count * own > kvTokens) return false;
      checked = true;
    }
    held += heldBy(r, w, at);
    count++;
    at = requests.expectedPrevious[at];
    const same = at !== NONE && requests.expectedEnd[at] - w.steps === tau;
    if (tau < own && !same && held + count * tau > kvTokens) return false;
  }
  return checked || held + count * own <= kvTokens;
}

function letIn(r: Replayed, w: ReplayWorker, now: number): void {
  w.ask = false;
  while (w.waitingTop !== NONE && w.running < r.setting.slots) {
    const id = w.waitingTop;
    if (tokensAtStart(r, id) + 1 > freeKv(r, w)) return;
    if (r.scenario.scheduling === SVF && w.running > 0 && !fitsLater(r, w, id)) return;
    popWaiting(r.requests, w);
    begin(r, w, id, now);
  }
}

function begin(r: Replayed, w: ReplayWorker, id: number, now: number): void {
  const { scenario, requests, counts } = r;
  const tokens = tokensAtStart(r, id);
  appendRunning(requests, w, id);
  w.running++;
  w.held += tokens;
  w.waiting--;
  w.waitingTokens -= tokens;
  requests.key[id] = tokens;
  if (w.prefills === 0) w.prefilling = id;
  w.prefills++;
  if (scenario.scheduling === SVF) {
    requests.expectedEnd[id] = w.steps - requests.made[id] + scenario.estimate[id];
    insertExpected(requests, w, id);
  }
  if (requests.started[id] === 0) {
    requests.started[id] = 1;
    counts.wait += now - scenario.arrival[id];
  }
  r.starts = true;
}

/** Those that began last go until the next step fits. */
function makeRoom(r: Replayed, w: ReplayWorker): void {
  const { setting, scenario, requests, counts } = r;
  while (w.held + w.running > setting.kvTokens) {
    const id = w.last;
    let generated = requests.made[id];
    if (w.prefills > 0) {
      w.prefills--;
    } else {
      generated = w.steps - (requests.key[id] - setting.output[id]);
      removeEnding(requests, w, id);
    }
    removeRunning(requests, w, id);
    if (scenario.scheduling === SVF) removeExpected(requests, w, id);
    w.running--;
    w.held -= setting.input[id] + generated;
    requests.made[id] = setting.recompute ? generated : 0;
    counts.wasted += generated - requests.made[id];
    counts.evictions++;
    waitAt(r, w, id, true);
  }
}

/** Between two steps: lets requests begin, and makes room for the tokens of those that run. */
export function prepare(r: Replayed, w: ReplayWorker, now: number): void {
  if (freeKv(r, w) >= 0 && asks(r, w)) letIn(r, w, now);
  if (w.held + w.running <= r.setting.kvTokens) return;
  makeRoom(r, w);
  // As engines do: nobody begins in a step for which somebody had to go, unless there would be none.
  if (w.running === 0 && asks(r, w)) letIn(r, w, now);
}
