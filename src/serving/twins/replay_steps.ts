/** Twin of shaders/serving/replay_steps.wgsl: what the steps of a worker take, and what is done in them. */
import { insertEnding, insertExpected, removeEnding, removeExpected, removeRunning } from "./replay_lists.ts";
import {
  asks,
  binOf,
  NONE,
  type Replayed,
  type ReplayWorker,
  STEPPING,
  SVF,
  tokensAtStart,
  type Units,
  WOKEN,
} from "./replay_state.ts";

const TWO_16 = 2 ** 16;
const TWO_26 = 2 ** 26;
const TWO_32 = 2 ** 32;

/** Adds c x count, exactly: the part in halves of 16 bits, the count, below 2^52, in halves of 26. */
export function addProduct(sum: Units, c: Units, count: number): void {
  const high = Math.floor(c.part / TWO_16);
  const low = c.part % TWO_16;
  const many = Math.floor(count / TWO_26);
  const few = count % TWO_26;
  const byHigh = high * few;
  const byLow = low * few;
  const byMany = low * many;
  const part = sum.part + (byLow % TWO_32) + (byHigh % TWO_16) * TWO_16 + (byMany % 64) * TWO_26;
  const carried =
    Math.floor(byLow / TWO_32) + Math.floor(byHigh / TWO_16) + Math.floor(byMany / 64) + high * many * 1024;
  sum.whole += c.whole * count + carried + Math.floor(part / TWO_32);
  sum.part = part % TWO_32;
}

/** A step's time rounded up. */
const ticksOf = ({ whole, part }: Units): number => whole + (part > 0 ? 1 : 0);

function grow(units: Units, growth: Units): void {
  units.whole += growth.whole;
  units.part += growth.part;
  if (units.part < TWO_32) return;
  units.part -= TWO_32;
  units.whole++;
}

/** Plans steps until something has to be decided; somebody runs. */
export function planSteps(r: Replayed, w: ReplayWorker, now: number): void {
  const { requests, counts } = r;
  const { step, kvTokens } = r.setting;
  w.planned = 1;
  if (!asks(r, w) && w.prefills === 0) {
    w.planned = Math.min(requests.key[w.ending] - w.steps, Math.floor((kvTokens - w.held) / w.running));
  }
  w.left = w.planned;
  w.generating = w.running - w.prefills;
  w.takes = { ...step.base };
  addProduct(w.takes, step.perSequence, w.running);
  addProduct(w.takes, step.perKvToken, w.held);
  if (w.prefills > 0) prefill(r, w);
  w.growth = { whole: 0, part: 0 };
  addProduct(w.growth, step.perKvToken, w.running);
  w.state = STEPPING;
  w.stepStart = now;
  w.stepEnd = now + ticksOf(w.takes);
  w.end = endOfSteps(w);
  counts.busy -= now;
}

/** Adds what the next step prefills: the oldest first, up to a chunk. From now on it counts as done. */
function prefill(r: Replayed, w: ReplayWorker): void {
  const { setting, requests } = r;
  let budget = setting.chunk;
  let halfPairs = 0;
  let tokens = 0;
  for (let id = w.prefilling; id !== NONE && budget > 0; id = requests.next[id]) {
    const left = requests.key[id];
    const part = Math.min(left, budget);
    halfPairs += part * (2 * (tokensAtStart(r, id) - left) + part);
    tokens += part;
    budget -= part;
    requests.key[id] = left - part;
  }
  addProduct(w.takes, setting.step.perPrefillToken, tokens);
  addProduct(w.takes, setting.step.perHalfPair, halfPairs);
}

function endOfSteps(w: ReplayWorker): number {
  const takes = { ...w.takes };
  let end = w.stepEnd;
  for (let k = 1; k < w.planned; k++) {
    grow(takes, w.growth);
    end += ticksOf(takes);
  }
  return end;
}

/** Counts the steps that have ended by now. */
export function catchUp(r: Replayed, w: ReplayWorker, now: number): void {
  while (w.left > 0 && w.stepEnd <= now) {
    w.left--;
    w.steps++;
    w.held += w.generating;
    r.counts.steps++;
    r.counts.tokens += w.generating;
    w.stepStart = w.stepEnd;
    grow(w.takes, w.growth);
    w.stepEnd += ticksOf(w.takes);
  }
}

/** Something waits for a worker: it is let in before the next step, which for an idle one is the next grain of time. */
export function wake(r: Replayed, w: ReplayWorker, now: number): void {
  const { grain, slots } = r.setting;
  if (w.state !== STEPPING) {
    w.state = WOKEN;
    w.end = Math.min(w.end, Math.ceil(now / grain) * grain);
    return;
  }
  if (w.planned === 1 || w.running >= slots) return;
  // Its steps end with the one that is under way; between two of them, now.
  w.left = w.left < w.planned && w.stepStart === now ? 0 : 1;
  w.end = w.left === 0 ? now : w.stepEnd;
  w.planned = 1;
}

/** The steps that were planned have been done, the last of them now. */
export function finishSteps(r: Replayed, w: ReplayWorker, now: number): void {
  const { key } = r.requests;
  r.counts.busy += now;
  w.state = WOKEN;
  if (w.prefills > 0) makeFirstTokens(r, w, now);
  while (w.ending !== NONE && key[w.ending] <= w.steps) finish(r, w, w.ending, now);
}

function makeFirstTokens(r: Replayed, w: ReplayWorker, now: number): void {
  const { setting, scenario, requests, counts } = r;
  while (w.prefills > 0 && requests.key[w.prefilling] === 0) {
    const id = w.prefilling;
    w.prefilling = requests.next[id];
    w.prefills--;
    w.held++;
    counts.tokens++;
    if (requests.firstToken[id] < 0) {
      requests.firstToken[id] = now;
      const time = now - scenario.arrival[id];
      counts.ttft += time;
      r.ttft[binOf(time)]++;
    }
    requests.key[id] = w.steps - (requests.made[id] + 1) + setting.output[id];
    insertEnding(requests, w, id);
  }
  if (scenario.scheduling !== SVF || w.prefills === 0) return;
  // The others have made nothing in this step, as was expected of them.
  for (let id = w.prefilling; id !== NONE; id = requests.next[id]) {
    removeExpected(requests, w, id);
    requests.expectedEnd[id]++;
    insertExpected(requests, w, id);
  }
}

function finish(r: Replayed, w: ReplayWorker, id: number, now: number): void {
  const { setting, scenario, requests, counts } = r;
  removeRunning(requests, w, id);
  removeEnding(requests, w, id);
  if (scenario.scheduling === SVF) removeExpected(requests, w, id);
  w.running--;
  w.held -= setting.input[id] + setting.output[id];
  w.ask = true;
  r.ask = true;
  const toFirst = requests.firstToken[id] - scenario.arrival[id];
  const afterFirst = now - requests.firstToken[id];
  const gaps = setting.output[id] - 1;
  counts.served++;
  counts.latency += toFirst + afterFirst;
  counts.makespan = now;
  if (gaps > 0) {
    const each = Math.floor(afterFirst / gaps);
    counts.several++;
    counts.tpot += each;
    r.tpot[binOf(each)]++;
  }
  const slow = setting.tpotLimit < Number.POSITIVE_INFINITY && afterFirst > setting.tpotLimit * gaps;
  if (!slow && toFirst <= setting.ttftLimit) counts.good++;
}
