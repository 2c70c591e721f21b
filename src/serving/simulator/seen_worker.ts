import type { RequestView, WorkerView } from "../policy.ts";
import { pause, type Requests, SeenRequest } from "./requests.ts";
import type { WorkerState } from "./worker_state.ts";

/** The signals of a worker, which somebody keeps up to date. Their fields are their own, so that a copy has them. */
export class Signals implements WorkerView {
  freeSlots = 0;
  freeKv = 0;
  waiting = 0;
  batch = 0;
  load = 0;
  prefill = 0;
  steps = 0;
  declare readonly running: Iterable<RequestView>;

  constructor(
    readonly index: number,
    readonly kvTokens: number,
    running: () => Iterable<RequestView>,
  ) {
    Object.defineProperty(this, "running", { enumerable: true, get: running });
  }
}

/** A worker as policies see it. */
export class SeenWorker extends Signals {
  readonly #worker: WorkerState;

  constructor(worker: WorkerState, requests: Requests) {
    super(worker.index, worker.kvTokens, () => runningOf(worker, requests, this.steps));
    this.#worker = worker;
  }

  /** @param done  steps of those under way that have been done. */
  look(done: number): this {
    const worker = this.#worker;
    const made = done * worker.decoding;
    this.freeSlots = worker.slots - worker.running;
    this.freeKv = worker.freeKv - made;
    this.waiting = worker.waiting;
    this.batch = worker.running;
    this.load = worker.held + made + worker.waitingTokens;
    this.prefill = worker.prefills.tokens + worker.waitingTokens;
    this.steps = worker.steps + done;
    return this;
  }
}

function* runningOf(worker: WorkerState, requests: Requests, steps: number): Generator<RequestView> {
  const seen = new SeenRequest(requests);
  for (let id = worker.first; id >= 0; id = requests.next[id]) {
    yield seen.of(id, requests.pause[id] === pause.rests ? worker.steps : steps);
  }
}
