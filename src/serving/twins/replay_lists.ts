/** Twin of shaders/serving/replay_lists.wgsl: who runs, who waits and who is to end next, as links between requests. */
import { NONE, type ReplayRequests, type ReplayWorker } from "./replay_state.ts";

/** Behind those that began before it. */
export function appendRunning(r: ReplayRequests, w: ReplayWorker, id: number): void {
  r.next[id] = NONE;
  r.previous[id] = w.last;
  if (w.last === NONE) w.first = id;
  else r.next[w.last] = id;
  w.last = id;
}

export function removeRunning(r: ReplayRequests, w: ReplayWorker, id: number): void {
  const after = r.next[id];
  const before = r.previous[id];
  if (before === NONE) w.first = after;
  else r.next[before] = after;
  if (after === NONE) w.last = before;
  else r.previous[after] = before;
}

/** By the step at which it ends, `key`; those that end together in any order. */
export function insertEnding(r: ReplayRequests, w: ReplayWorker, id: number): void {
  let before = NONE;
  let after = w.ending;
  while (after !== NONE && r.key[after] < r.key[id]) {
    before = after;
    after = r.endNext[after];
  }
  r.endPrevious[id] = before;
  r.endNext[id] = after;
  if (before === NONE) w.ending = id;
  else r.endNext[before] = id;
  if (after !== NONE) r.endPrevious[after] = id;
}

export function removeEnding(r: ReplayRequests, w: ReplayWorker, id: number): void {
  const after = r.endNext[id];
  const before = r.endPrevious[id];
  if (before === NONE) w.ending = after;
  else r.endNext[before] = after;
  if (after !== NONE) r.endPrevious[after] = before;
}

/** By the step at which it is taken to end, `expectedEnd`. */
export function insertExpected(r: ReplayRequests, w: ReplayWorker, id: number): void {
  let before = NONE;
  let after = w.expected;
  while (after !== NONE && r.expectedEnd[after] < r.expectedEnd[id]) {
    before = after;
    after = r.expectedNext[after];
  }
  r.expectedPrevious[id] = before;
  r.expectedNext[id] = after;
  if (before === NONE) w.expected = id;
  else r.expectedNext[before] = id;
  if (after === NONE) w.expectedLast = id;
  else r.expectedPrevious[after] = id;
}

export function removeExpected(r: ReplayRequests, w: ReplayWorker, id: number): void {
  const after = r.expectedNext[id];
  const before = r.expectedPrevious[id];
  if (before === NONE) w.expected = after;
  else r.expectedNext[before] = after;
  if (after === NONE) w.expectedLast = before;
  else r.expectedPrevious[after] = before;
}

/** Of two that wait: the least `key` goes first, of equals the one that was sent first. */
function isBefore(r: ReplayRequests, a: number, b: number): boolean {
  return r.key[a] < r.key[b] || (r.key[a] === r.key[b] && r.turn[a] < r.turn[b]);
}

/** Of two heaps, by their tops. A pairing heap [Fredman et al. 1986]: `next` is the first child, `previous` the next sibling. */
function meld(r: ReplayRequests, a: number, b: number): number {
  if (a === NONE) return b;
  if (b === NONE) return a;
  const top = isBefore(r, a, b) ? a : b;
  const child = top === a ? b : a;
  r.previous[child] = r.next[top];
  r.next[top] = child;
  return top;
}

export function pushWaiting(r: ReplayRequests, w: ReplayWorker, id: number): void {
  r.next[id] = NONE;
  r.previous[id] = NONE;
  w.waitingTop = meld(r, w.waitingTop, id);
}

/** Takes the top away; there must be one. Its children meld in pairs from the first on, and the pairs from the last. */
export function popWaiting(r: ReplayRequests, w: ReplayWorker): void {
  let child = r.next[w.waitingTop];
  let pairs = NONE;
  while (child !== NONE) {
    const other = r.previous[child];
    let rest = NONE;
    if (other !== NONE) rest = r.previous[other];
    r.previous[child] = NONE;
    if (other !== NONE) r.previous[other] = NONE;
    const pair = meld(r, child, other);
    r.previous[pair] = pairs;
    pairs = pair;
    child = rest;
  }
  let top = NONE;
  while (pairs !== NONE) {
    const rest = r.previous[pairs];
    r.previous[pairs] = NONE;
    top = meld(r, top, pairs);
    pairs = rest;
  }
  w.waitingTop = top;
}
