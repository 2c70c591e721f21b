import type { RequestView } from "../policy.ts";
import { type Requests, SeenRequest } from "./requests.ts";
import { type SeenWorker, Signals } from "./seen_worker.ts";

/** A worker as it was when its signals were last read. */
export class StaleWorker extends Signals {
  readonly #view: SeenWorker;
  readonly #requests: Requests;
  readonly #ids: number[] = [];
  readonly #generated: number[] = [];

  constructor(view: SeenWorker, requests: Requests) {
    super(view.index, view.kvTokens, () => this.#remembered());
    this.#view = view;
    this.#requests = requests;
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
