import type { RequestView } from "../policy.ts";
import type { Trace } from "../trace/trace.ts";
import type { Predictor } from "./prediction.ts";

/** Where a request is. */
export const place = {
  coming: 0,
  prefill: 1,
  router: 2,
  worker: 3,
  running: 4,
  served: 5,
  rejected: 6,
} as const;

/** How a running request's next token follows upon the one before. */
export const pause = {
  /** In the next step, as ever. */
  none: 0,
  /** It makes none in the next step. */
  rests: 1,
  /** In the next step, after one or more without. */
  returns: 2,
} as const;

/** The state of all requests, an array per fact. */
export class Requests {
  readonly count: number;
  /** As in the trace; with a closed pool when it came into the pool. */
  readonly arrival: Float64Array;
  readonly input: Int32Array;
  readonly output: Int32Array;
  readonly place: Uint8Array;
  readonly worker: Int32Array;
  /** -1 until then. */
  readonly start: Float64Array;
  readonly firstToken: Float64Array;
  readonly finish: Float64Array;
  readonly evictions: Int32Array;
  /** Tokens that one which does not run has made already. */
  readonly made: Int32Array;
  /** 1: its KV comes with it, since it was prefilled elsewhere. */
  readonly transferred: Uint8Array;
  /** Of a running one: tokens of its prompt, and of those that it had made when it began again, that are still to be prefilled. */
  readonly left: Int32Array;
  /** Of a running one: its worker's steps, without those in which it rested, less the tokens that it has; infinite until it is prefilled. */
  readonly base: Float64Array;
  /** Of a running one that has a token. */
  readonly pause: Uint8Array;
  /** When it made its last token, of one with a pause. */
  readonly lastToken: Float64Array;
  /** The running ones of a worker in the order in which they began: a linked list, -1 at its ends. */
  readonly next: Int32Array;
  readonly previous: Int32Array;

  constructor(
    readonly trace: Trace,
    readonly predict: Predictor,
  ) {
    const n = trace.requests;
    this.count = n;
    this.arrival = trace.arrival.slice();
    this.input = trace.input;
    this.output = trace.output;
    this.place = new Uint8Array(n);
    this.worker = new Int32Array(n).fill(-1);
    this.start = new Float64Array(n).fill(-1);
    this.firstToken = new Float64Array(n).fill(-1);
    this.finish = new Float64Array(n).fill(-1);
    this.evictions = new Int32Array(n);
    this.made = new Int32Array(n);
    this.transferred = new Uint8Array(n);
    this.left = new Int32Array(n);
    this.base = new Float64Array(n);
    this.pause = new Uint8Array(n);
    this.lastToken = new Float64Array(n);
    this.next = new Int32Array(n);
    this.previous = new Int32Array(n);
  }

  /** @param steps  that its worker has done. */
  generated(id: number, steps: number): number {
    if (this.place[id] !== place.running) return this.made[id];
    return Math.max(this.made[id], steps - this.base[id]);
  }

  /** KV tokens that it begins with. */
  tokensAtStart(id: number): number {
    return this.input[id] + this.made[id];
  }

  blocksOf(id: number): Int32Array {
    const { start, id: ids } = this.trace.blocks!;
    return ids.subarray(start[id], start[id + 1]);
  }
}

/** A request as policies see it, and nothing else: its fields are its own, so that a copy has them, and nothing leads to what is hidden. */
export class SeenRequest {
  private readonly view: RequestView;
  private id = -1;
  private generated = 0;

  constructor(private readonly requests: Requests) {
    this.view = this.fields();
  }

  /** @param steps  that its worker has done. */
  of(id: number, steps: number): RequestView {
    return this.as(id, this.requests.generated(id, steps));
  }

  as(id: number, generated: number): RequestView {
    this.id = id;
    this.generated = generated;
    return this.view;
  }

  private fields(): RequestView {
    const seen = this;
    const { requests } = this;
    const { trace } = requests;
    return {
      get id() {
        return seen.id;
      },
      get arrival() {
        return requests.arrival[seen.id];
      },
      get input() {
        return requests.input[seen.id];
      },
      get generated() {
        return seen.generated;
      },
      get predicted() {
        return requests.predict(seen.id, requests.output[seen.id]);
      },
      get session() {
        const session = trace.session?.[seen.id] ?? -1;
        return session < 0 ? undefined : session;
      },
      get class() {
        return trace.class?.[seen.id];
      },
      get value() {
        return trace.value?.[seen.id];
      },
      get blocks() {
        return trace.blocks && requests.blocksOf(seen.id);
      },
      get blockTokens() {
        return trace.blocks?.tokens;
      },
    };
  }
}
