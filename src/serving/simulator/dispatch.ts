import { PolicyError, type Router, type Rule, type WorkerView } from "../policy.ts";
import { requireCount, requireMethods } from "../policy_answers.ts";
import type { Settings } from "./options.ts";
import { place, type Requests, SeenRequest } from "./requests.ts";
import { SeenWorker } from "./seen_worker.ts";
import { StaleWorker } from "./stale_worker.ts";
import type { StepGroup } from "./step_group.ts";
import type { Worker } from "./worker.ts";

/** The router: requests come to it, its policy is asked where they go, the rules are checked. */
export class Dispatch {
  /** Requests that wait at the router. */
  waiting = 0;
  private readonly router: Router;
  private readonly seen: SeenRequest;
  private readonly views: SeenWorker[];
  private readonly stale: StaleWorker[];
  private pairs = new Int32Array(64);
  /** Something has come or gone since the policy was last asked. */
  private ask = false;
  /** When signals are read again. */
  private nextReading = 0;
  /** Something has happened at the workers since they were last read. */
  private outdated = false;

  constructor(
    private readonly settings: Settings,
    private readonly requests: Requests,
    private readonly workers: readonly Worker[],
    private readonly groupOf: (worker: number) => StepGroup,
    private readonly reject: (id: number) => void,
  ) {
    const queue = settings.pool === undefined ? "worker" : "router";
    this.router = settings.routing.create({ workers: workers.length, seed: settings.seed, queue });
    requireMethods("routing.create()", this.router, ["arrived", "assign"]);
    this.seen = new SeenRequest(requests);
    this.views = workers.map((worker) => new SeenWorker(worker, requests));
    this.stale = settings.staleness > 0 ? this.views.map((view) => new StaleWorker(view, requests)) : [];
  }

  arrive(id: number): void {
    this.requests.place[id] = place.router;
    this.waiting++;
    this.ask = true;
    this.router.arrived(this.seen.of(id, 0));
  }

  finished(id: number): void {
    this.router.finished?.(id);
    this.ask = true;
    this.outdated = true;
  }

  /** When stale signals are to be read again for requests that wait here; Infinity where that would tell nothing new. */
  get next(): number {
    return this.stale.length > 0 && this.waiting > 0 && this.outdated ? this.nextReading : Number.POSITIVE_INFINITY;
  }

  /** Before anything happens at `now`: reads the signals if that is due by then, as they were when it was. */
  read(now: number): void {
    const { staleness } = this.settings;
    if (this.stale.length === 0 || now < this.nextReading) return;
    const due = Math.floor(now / staleness) * staleness;
    for (const view of this.stale) view.read(this.groupOf(view.index).done(due));
    this.nextReading = due + staleness > now ? due + staleness : due + 2 * staleness; // where the quotient is rounded
    this.outdated = false;
    this.ask = true;
  }

  /** Sends requests to workers. */
  assign(now: number): void {
    if (!this.ask || this.waiting === 0) return;
    this.ask = false;
    if (this.pairs.length < 2 * this.waiting + 2) this.pairs = new Int32Array(4 * this.waiting + 2);
    const count = this.router.assign(this.look(now), now, this.pairs);
    requireCount("routing.assign()", count, this.pairs.length / 2);
    for (let k = 0; k < count; k++) this.send(this.pairs[2 * k], this.pairs[2 * k + 1], k, now);
  }

  private look(now: number): readonly WorkerView[] {
    if (this.stale.length > 0) return this.stale;
    for (const view of this.views) view.look(this.groupOf(view.index).done(now));
    return this.views;
  }

  /** @param worker  whose steps count; with rounds they are those of the clock. */
  private fail(rule: Rule, request: number, now: number, worker: Worker | undefined, what: string): never {
    const steps = worker === undefined ? 0 : worker.steps + this.groupOf(worker.index).done(now);
    throw new PolicyError(
      this.settings.routing.name,
      rule,
      request,
      this.settings.rounds ? Math.floor(now) : steps,
      `${what}.`,
    );
  }

  private send(id: number, to: number, k: number, now: number): void {
    this.checkSent(id, to, k, now);
    this.waiting--;
    const worker = this.workers[to];
    if (this.requests.input[id] + this.requests.output[id] > worker.kvTokens) {
      this.router.finished?.(id);
      this.reject(id);
      return;
    }
    worker.arrive(id);
    this.outdated = true;
    this.groupOf(to).wake(worker, now);
  }

  /** The rules that a router can break. */
  private checkSent(id: number, to: number, k: number, now: number): void {
    const { place: places, worker: sentTo } = this.requests;
    const worker = this.workers[to];
    if (worker === undefined)
      this.fail("slots", id, now, worker, `it is sent to worker ${to} of ${this.workers.length}`);
    const at = places[id];
    if (at === place.worker || at === place.running || at === place.served) {
      const again = sentTo[id] === to || this.isBefore(id, k);
      const what = `it is sent to worker ${to}, and has been sent to worker ${sentTo[id]}`;
      const rule = again || at === place.served ? "served twice" : "migrated";
      this.fail(rule, id, now, this.workers[sentTo[id]], what);
    }
    if (at !== place.router) this.fail("not waiting", id, now, worker, `it is sent to worker ${to}, and does not wait`);
    if (this.settings.pool === undefined || worker.running + worker.waiting < worker.slots) return;
    this.fail(
      "slots",
      id,
      now,
      worker,
      `it is sent from the pool to worker ${to}, whose ${worker.slots} slots are taken`,
    );
  }

  /** Whether this call has sent it already. */
  private isBefore(id: number, k: number): boolean {
    for (let j = 0; j < k; j++) if (this.pairs[2 * j] === id) return true;
    return false;
  }
}
