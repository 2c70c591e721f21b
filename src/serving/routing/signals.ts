import { ShapeError } from "../../common/errors.ts";
import type { RequestView, RouterOptions, WorkerView } from "../policy.ts";

/** One signal of all workers: each is read when it is first asked for in a call of `assign`, and what the call assigns is added. */
export class Signal {
  private readonly read: (worker: WorkerView) => number;
  /** [G] NaN: not read in this call. */
  private readonly values: Float64Array;
  private views: readonly WorkerView[] = [];

  constructor(workers: number, read: (worker: WorkerView) => number) {
    this.read = read;
    this.values = new Float64Array(workers);
  }

  begin(views: readonly WorkerView[]): void {
    this.views = views;
    this.values.fill(Number.NaN);
  }

  /** Of worker g. */
  readonly of = (g: number): number => {
    if (Number.isNaN(this.values[g])) this.values[g] = this.read(this.views[g]);
    return this.values[g];
  };

  add(g: number, amount: number): void {
    this.values[g] = this.of(g) + amount;
  }
}

/** The workers as one call of `assign` sees them: their views, which stand still, and what the call has assigned already. */
export class Workers {
  readonly count: number;
  /** Slots for newcomers: free ones, less the requests that have been sent there and do not run yet. */
  readonly room: Signal;
  private readonly pooled: boolean;
  private readonly memory: Signal;
  private readonly signals: Signal[] = [];
  /** Tokens of the largest memory; NaN: not asked for in this call. */
  private largest = Number.NaN;

  constructor({ workers, queue }: RouterOptions) {
    this.count = workers;
    this.pooled = queue === "router";
    this.room = this.signal((w) => w.freeSlots - w.waiting);
    this.memory = this.signal((w) => w.kvTokens ?? Number.POSITIVE_INFINITY);
  }

  /** What a policy goes by; `read` gives it of one worker. */
  signal(read: (worker: WorkerView) => number): Signal {
    const signal = new Signal(this.count, read);
    this.signals.push(signal);
    return signal;
  }

  begin(views: readonly WorkerView[]): void {
    if (views.length !== this.count) throw new ShapeError("workers", `${this.count} views`, views.length);
    for (const signal of this.signals) signal.begin(views);
    this.largest = Number.NaN;
  }

  /** Whether worker g may be sent a prompt of so many tokens: it has room, if requests wait at the router, and its memory is large enough. */
  open(g: number, input: number): boolean {
    if (this.pooled && this.room.of(g) < 1) return false;
    return this.holds(g, input);
  }

  /** Whether worker g's whole memory holds the prompt and a token, or no worker's does. */
  holds(g: number, input: number): boolean {
    return this.memory.of(g) > input || !this.holdAnywhere(input);
  }

  /** Whether some worker's does. Where none does all are alike, and what becomes of the request is not the router's to say. */
  holdAnywhere(input: number): boolean {
    if (Number.isNaN(this.largest)) {
      this.largest = 0;
      for (let g = 0; g < this.count; g++) this.largest = Math.max(this.largest, this.memory.of(g));
    }
    return this.largest > input;
  }

  /** The open worker with the least score, of equals the one with the least `tie`, then with the lowest index; -1 where none is open. */
  least(input: number, score: (g: number) => number, tie = alike): number {
    let best = -1;
    let leastScore = Number.POSITIVE_INFINITY;
    let leastTie = Number.POSITIVE_INFINITY;
    for (let g = 0; g < this.count; g++) {
      if (!this.open(g, input)) continue;
      const value = score(g);
      if (best >= 0 && (value > leastScore || (value === leastScore && tie(g) >= leastTie))) continue;
      best = g;
      leastScore = value;
      leastTie = tie(g);
    }
    return best;
  }
}

const alike = (_g: number) => 0;

/** Requests that run there. */
export const readBatch = (worker: WorkerView): number => worker.batch ?? countOf(worker.running);

/** Requests that run or wait there. */
export const readRequests = (worker: WorkerView): number => worker.waiting + readBatch(worker);

/** L_g; without that signal the tokens of those that run. */
export const readLoad = (worker: WorkerView): number => worker.load ?? tokensOf(worker.running);

/** Prompt tokens that are still to be prefilled there; without that signal none. */
export const readPrefill = ({ prefill }: WorkerView): number => prefill ?? 0;

function countOf(requests: Iterable<RequestView>): number {
  let count = 0;
  for (const _ of requests) count++;
  return count;
}

function tokensOf(requests: Iterable<RequestView>): number {
  let tokens = 0;
  for (const { input, generated } of requests) tokens += input + generated;
  return tokens;
}
