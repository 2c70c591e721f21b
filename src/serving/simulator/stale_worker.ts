import type { RequestView, WorkerView } from "../policy.ts";
import { type Requests, SeenRequest } from "./requests.ts";
import type { SeenWorker } from "./seen_worker.ts";

/** A worker as it was when its signals were last read. */
export class StaleWorker implements WorkerView {
  readonly index: number;
  readonly kvTokens: number;
  freeSlots = 0;
  freeKv = 0;
  waiting = 0;
  batch = 0;
  load = 0;
  prefill = 0;
  steps = 0;
  declare readonly running: Iterable<RequestView>;
  readonly #view: SeenWorker;
  readonly #requests: Requests;
  readonly #ids: number[] = [];
  readonly #generated: number[] = [];

  constructor(view: SeenWorker, requests: Requests) {
    this.#view = view;
    this.#requests = requests;
    Object.defineProperty(this, "running", { enumerable: true, get: () => this.#remembered() });
    this.index = view.index;
    this.kvTokens = view.kvTokens;
  }

  read(done: number): void {
    const { freeSlots, freeKv, waiting, batch, load, prefill, steps, running } = this.#view.look(done);
    Object.assign(this, { freeSlots, freeKv, waiting, batch, load, prefill, steps });
    this.#ids.length = 0;
    this.#generated.length = 0;
    for (const request of running) {
      this.#ids.push(request.id);
      this.#generated.push(request.generated);
    }
  }

  *#remembered(): Generator<RequestView> {
    const seen = new SeenRequest(this.#requests);
    for (const [i, id] of this.#ids.entries()) yield seen.as(id, this.#generated[i]);
  }
}
