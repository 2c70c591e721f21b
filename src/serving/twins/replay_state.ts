/** Twin of shaders/serving/replay_state.wgsl: what a scenario is, and all that is known of its requests and workers while it is replayed. */

export const ROUND_ROBIN = 0;
export const LEAST_KV = 1;
export const BFIO = 2;

export const FCFS = 0;
export const SJF = 1;
export const PRIORITY = 2;
export const SVF = 3;

/** Nobody: the end of a list. */
export const NONE = -1;

/** A worker does nothing, begins its next steps at its `end`, or is at its steps until then. */
export const IDLE = 0;
export const WOKEN = 1;
export const STEPPING = 2;

/** A number of 2^-32 ticks: `whole` ticks, and `part` of 2^-32 of one. Both are whole. */
export interface Units {
  whole: number;
  part: number;
}

/** What a step takes, each in units; see StepTime. */
export interface StepUnits {
  base: Units;
  perSequence: Units;
  perKvToken: Units;
  perPrefillToken: Units;
  /** Of half a query-key pair: tokens of a chunk x (twice what is before it + its tokens) of them. */
  perHalfPair: Units;
}

/** What all scenarios of a sweep share. */
export interface ReplaySetting {
  /** [n] tokens. */
  input: Int32Array;
  output: Int32Array;
  /** [n] the lowest goes first, by *priority*. */
  rank: Int32Array;
  slots: number;
  kvTokens: number;
  /** Most prompt tokens of a step. */
  chunk: number;
  recompute: boolean;
  step: StepUnits;
  /** Idle workers begin at multiples of so many ticks, a power of two. */
  grain: number;
  /** Ticks to the first token, and per token after it, that are good. */
  ttftLimit: number;
  tpotLimit: number;
}

export interface Scenario {
  routing: number;
  scheduling: number;
  workers: number;
  /** [n] ticks, ascending. */
  arrival: Float64Array;
  /** [n] tokens that the output is taken to have. */
  estimate: Int32Array;
}

/** Bins of a histogram: 64 for each power of two, so that one is 1/64 of what it holds at most; values below 64 each have their own. */
export const BINS_OF_OCTAVE = 64;
export const BINS = 37 * BINS_OF_OCTAVE;

/** The bin of a whole time; what is longer than 2^42 is in the last. */
export function binOf(time: number): number {
  if (time < BINS_OF_OCTAVE) return time;
  const high = Math.floor(time / 2 ** 26);
  const octave = high > 0 ? 57 - Math.clz32(high) : 31 - Math.clz32(time);
  const inOctave = Math.floor(time / 2 ** (octave - 6)) % BINS_OF_OCTAVE;
  return Math.min(BINS - 1, BINS_OF_OCTAVE * (octave - 5) + inOctave);
}

/** What becomes of a scenario; times in ticks. Of the span: up to the last start. */
export interface ReplayCounts {
  /** Requests served, and those within the limits. */
  served: number;
  good: number;
  steps: number;
  tokens: number;
  evictions: number;
  wasted: number;
  /** Sums over the requests. */
  wait: number;
  ttft: number;
  latency: number;
  /** Over those of two tokens or more, of whole ticks each. */
  tpot: number;
  several: number;
  /** When the last request finished. */
  makespan: number;
  /** Ticks in which workers step, over all of them. */
  busy: number;
  spanTime: number;
  spanServed: number;
  spanGood: number;
  spanTokens: number;
  spanBusy: number;
}

export const noCounts = (): ReplayCounts => ({
  ...{ served: 0, good: 0, steps: 0, tokens: 0, evictions: 0, wasted: 0, wait: 0, ttft: 0, latency: 0, tpot: 0 },
  ...{ several: 0, makespan: 0, busy: 0, spanTime: 0, spanServed: 0, spanGood: 0, spanTokens: 0, spanBusy: 0 },
});

/** A worker: who runs, who waits, and the steps under way. */
export class ReplayWorker {
  /** The running ones in the order in which they began. */
  first = NONE;
  last = NONE;
  /** The first of them that is still to be prefilled, and so are all after it. */
  prefilling = NONE;
  /** Those that make tokens by the step at which they end; by that at which they are taken to end, prefilled or not (SVF alone). */
  ending = NONE;
  expected = NONE;
  expectedLast = NONE;
  /** Who waits: the next on top of a heap. */
  waitingTop = NONE;
  waiting = 0;
  waitingTokens = 0;
  running = 0;
  /** Of these. */
  prefills = 0;
  held = 0;
  steps = 0;
  /** Something has come, gone or been evicted since the scheduler was last asked. */
  ask = false;
  state = IDLE;
  /** When it begins, or its steps are done. */
  end = Number.POSITIVE_INFINITY;
  /** Steps that were planned, and that are still to be done. */
  planned = 0;
  left = 0;
  /** Tokens of each of them. */
  generating = 0;
  /** When the one under way began, and when it ends; what it takes, and how much more the next will. */
  stepStart = 0;
  stepEnd = 0;
  takes: Units = { whole: 0, part: 0 };
  growth: Units = { whole: 0, part: 0 };
  /** Requests and tokens that it can still take in a fill of BF-IO. */
  room = 0;
  freeTokens = 0;
}

/** Requests, an array per fact. */
export class ReplayRequests {
  /** Links of the list that a request is in: at the router by arrival, of the running by start; of a heap its first child and its next sibling. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly endNext: Int32Array;
  readonly endPrevious: Int32Array;
  readonly expectedNext: Int32Array;
  readonly expectedPrevious: Int32Array;
  /** The step at which it ends; of one that is prefilled the tokens that are left; of one that waits its order. */
  readonly key: Float64Array;
  /** The step at which it is taken to end. */
  readonly expectedEnd: Float64Array;
  /** Tokens that it begins with beside its prompt. */
  readonly made: Int32Array;
  /** In the order in which they were sent to workers. */
  readonly turn: Int32Array;
  readonly started: Uint8Array;
  /** -1 until then. */
  readonly firstToken: Float64Array;

  constructor(readonly count: number) {
    const links = () => new Int32Array(count);
    this.next = links();
    this.previous = links();
    this.endNext = links();
    this.endPrevious = links();
    this.expectedNext = links();
    this.expectedPrevious = links();
    this.key = new Float64Array(count);
    this.expectedEnd = new Float64Array(count);
    this.made = links();
    this.turn = links();
    this.started = new Uint8Array(count);
    this.firstToken = new Float64Array(count).fill(-1);
  }
}

/** A scenario in the making: what its workers and its router share. */
export class Replayed {
  readonly requests: ReplayRequests;
  readonly workers: readonly ReplayWorker[];
  readonly counts: ReplayCounts = noCounts();
  /** [BINS] of times to the first token, and per token after it. */
  readonly ttft = new Uint32Array(BINS);
  readonly tpot = new Uint32Array(BINS);
  /** Somebody begins in this event. */
  starts = false;
  /** A request has come to the router, or one has finished, since the router was last asked. */
  ask = false;
  /** Order of the next that is evicted, first come first served. */
  front = -1;
  /** Those that wait at the router, in the order in which they came. */
  firstAtRouter = NONE;
  lastAtRouter = NONE;
  /** Of round robin. */
  nextWorker = 0;
  /** Requests that have been sent to workers. */
  sent = 0;

  constructor(
    readonly setting: ReplaySetting,
    readonly scenario: Scenario,
  ) {
    this.requests = new ReplayRequests(scenario.arrival.length);
    this.workers = Array.from({ length: scenario.workers }, () => new ReplayWorker());
  }
}

/** Tokens that newcomers may take, when each running request has its next one. */
export const freeKv = ({ setting }: Replayed, w: ReplayWorker): number => setting.kvTokens - w.held - w.running;

/** KV tokens that a request begins with. */
export const tokensAtStart = ({ setting, requests }: Replayed, id: number): number =>
  setting.input[id] + requests.made[id];

/** Whether the scheduler is asked for what waits. */
export const asks = ({ setting }: Replayed, w: ReplayWorker): boolean =>
  w.ask && w.waiting > 0 && w.running < setting.slots;
