import type { Assignment } from "./bfio_assignment.ts";
import { improve } from "./bfio_improve.ts";

/**
 * The fast form: sets `fill.worker` so that nothing that waits would fit where there is room, and J is small.
 *
 * Where more wait than there is room for, it is known how many each worker gets, newcomers differ by their prompts alone, and what J falls by
 * is a concave function of the prompt tokens that a worker gets: from the least loaded worker on, each takes what comes nearest to that
 * function's peak. Where there is room for all, the largest go first, each to the least loaded worker. Then both are improved.
 */
export function fillFast(a: Assignment): void {
  const { fill } = a;
  let room = 0;
  for (let g = 0; g < fill.workers; g++) room += fill.room[g];
  const choose = fill.waiting > room;
  a.begin(choose);
  if (fill.workers > 1) {
    if (choose) takeNearest(a);
    else if (!memoryBinds(a)) takeLargestFirst(a);
  }
  for (let g = 0; g < fill.workers; g++) a.giveUp(g);
  // All of it for one worker, which is even by itself, and where memory is short: there, the earliest come first.
  if (a.count < Math.min(room, fill.waiting)) takeInOrder(a);
  if (fill.workers > 1) improve(a);
  // What the improvement gave back may fit where nothing did before.
  if (a.count < Math.min(room, fill.waiting)) takeInOrder(a);
}

function takeNearest(a: Assignment): void {
  const { fill, envelope } = a;
  for (let g = lightestForeseen(a); g >= 0; g = lightestForeseen(a)) {
    envelope.measure(g);
    // The first of several leaves the others their share, of the memory too.
    const share = fill.room[g];
    const peak = Math.max(envelope.peak(), 0) / share;
    const limit = Math.min(fill.freeKv[g] / share - 1, a.largest(g));
    let p = a.below(Math.min(peak, limit));
    const above = peak < limit ? a.above(peak) : -1;
    if (above >= 0 && fill.prompt[above] <= limit) {
      if (p < 0 || envelope.gain(fill.prompt[above] * share) > envelope.gain(fill.prompt[p] * share)) p = above;
    }
    if (p < 0) p = a.above(-1);
    if (p >= 0 && fill.prompt[p] <= a.largest(g)) a.assign(p, g);
    else a.giveUp(g);
  }
}

function lightestForeseen({ fill, foreseen, level }: Assignment): number {
  let best = -1;
  for (let g = 0; g < fill.workers; g++) {
    if (foreseen[g] > 0 && (best < 0 || level[g] < level[best])) best = g;
  }
  return best;
}

function takeLargestFirst(a: Assignment): void {
  for (let p = a.fill.waiting - 1; p >= 0; p--) {
    const g = lightest(a, a.fill.prompt[p]);
    if (g >= 0) a.assign(p, g);
  }
}

/** Each that waits, the earliest first, to the least loaded worker that it fits into. */
function takeInOrder(a: Assignment): void {
  const { fill } = a;
  let largest = -1;
  for (let g = 0; g < fill.workers; g++) if (fill.room[g] > 0) largest = Math.max(largest, a.largest(g));
  const fitting = a.firstAbove(largest);
  const keys = a.keys.subarray(0, fitting);
  const places = fill.worker.length;
  for (let p = 0; p < fitting; p++) keys[p] = fill.arrival[p] * places + p;
  keys.sort();
  for (const key of keys) {
    const p = key % places;
    if (fill.worker[p] >= 0) continue;
    const g = lightest(a, fill.prompt[p]);
    if (g >= 0) a.assign(p, g);
  }
}

/** The least loaded worker that a prompt fits into, -1 if there is none. */
function lightest({ fill, level }: Assignment, prompt: number): number {
  const { workers, room, freeKv } = fill;
  let best = -1;
  for (let g = 0; g < workers; g++) {
    if (room[g] > 0 && prompt + 1 <= freeKv[g] && (best < 0 || level[g] < level[best])) best = g;
  }
  return best;
}

/** Whether all that wait need more memory than there is where there is room. */
function memoryBinds({ fill }: Assignment): boolean {
  let free = 0;
  for (let g = 0; g < fill.workers; g++) if (fill.room[g] > 0) free += Math.max(fill.freeKv[g], 0);
  for (let p = 0; p < fill.waiting; p++) free -= fill.prompt[p] + 1;
  return free < 0;
}
