import { MinHeap } from "../min_heap.ts";
import { PolicyError, type Rule, type Scheduler } from "../policy.ts";
import { requireCount, requireMethods } from "../policy_answers.ts";
import type { StepWork } from "../step_time.ts";
import type { BarrierStep } from "./barrier_step.ts";
import type { Embeddings } from "./embeddings.ts";
import type { Settings, WorkerSpec } from "./options.ts";
import { Prefills } from "./prefills.ts";
import { PrefixCache } from "./prefix_cache.ts";
import { pause, place, type Requests, SeenRequest } from "./requests.ts";
import { SeenWorker } from "./seen_worker.ts";
import type { Events } from "./worker_events.ts";
import { WorkerState } from "./worker_state.ts";

/** A worker at work: its scheduler is asked, the rules are checked, requests begin and end. */
export class Worker extends WorkerState {
  /** Tokens generated, evictions and tokens lost by them, tokens of all starts, and those of them that were found in the prefix cache. */
  tokens = 0;
  evictions = 0;
  wasted = 0;
  prompts = 0;
  hits = 0;
  /** Something has come, gone or been evicted since the scheduler was last asked. */
  private ask = false;
  private now = 0;
  private drained = false;
  private readonly scheduler: Scheduler;
  private readonly view: SeenWorker;
  private readonly seen: SeenRequest;
  private readonly cache: PrefixCache | undefined;
  /** The running ones by the step at which they end, once their prompts are prefilled. */
  private readonly ends = new MinHeap();
  private readonly admitted: Int32Array;
  private readonly removed: Int32Array;

  constructor(
    index: number,
    readonly spec: WorkerSpec,
    requests: Requests,
    private readonly settings: Settings,
    private readonly events: Events,
    embeddings: Embeddings | undefined,
  ) {
    super(index, spec, requests, new Prefills(requests, settings.chunk, embeddings?.of(index)));
    const { slots, kvTokens } = spec;
    this.scheduler = settings.scheduling.create({ slots, kvTokens, seed: settings.seed + index });
    requireMethods("scheduling.create()", this.scheduler, ["arrived", "admit", "evict"]);
    this.seen = new SeenRequest(requests);
    this.view = new SeenWorker(this, requests);
    const { blocks } = requests.trace;
    const { caching: policy, rounds } = settings;
    const stepTime = rounds ? undefined : spec.stepTime;
    const seed = settings.seed + index;
    this.cache = blocks && new PrefixCache({ policy, blockTokens: blocks.tokens, kvTokens, stepTime, seed });
    const most = Math.min(spec.slots, requests.count);
    this.admitted = new Int32Array(most + 1);
    this.removed = new Int32Array(most);
  }

  arrive(id: number): void {
    const { requests } = this;
    requests.place[id] = place.worker;
    requests.worker[id] = this.index;
    this.waiting++;
    this.waitingTokens += requests.tokensAtStart(id);
    this.ask = true;
    this.scheduler.arrived(this.seen.of(id, this.steps));
  }

  /** Whether the scheduler is asked for what waits: where no slot is free only if it makes one. */
  get open(): boolean {
    return this.running < this.slots || this.scheduler.preempt !== undefined;
  }

  private get asks(): boolean {
    return (this.ask || this.scheduler.rest !== undefined) && this.waiting > 0 && this.open;
  }

  /** Before a step: lets waiting ones begin, lays to rest who makes no token, and makes room for the tokens of the others. */
  prepare(now: number): void {
    this.now = now;
    if (this.freeKv >= 0 && this.asks) this.letIn(now);
    this.layToRest(now);
    if (this.held + this.stepping > this.kvTokens) {
      this.makeRoom(now);
      this.layToRest(now);
      // As engines do: nobody begins in a step for which somebody had to go, unless there would be none.
      if (this.stepping === 0 && this.asks) {
        this.letIn(now);
        this.layToRest(now);
      }
    }
    this.cache?.trim(this.freeKv);
  }

  /** Nothing more will come, and nobody steps. @returns whether the scheduler hears it, for the first time, and may do something else now. */
  drain(): boolean {
    if (this.drained || this.scheduler.drain === undefined || this.waiting + this.running === 0) return false;
    this.drained = true;
    this.scheduler.drain();
    this.ask = true;
    return true;
  }

  private letIn(now: number): void {
    this.ask = false;
    this.cache?.trim(this.freeKv);
    if (this.scheduler.preempt) {
      const count = this.scheduler.preempt(this.view.look(0), now, this.removed);
      requireCount("scheduling.preempt()", count, this.removed.length);
      for (let k = 0; k < count; k++) this.evict(this.removed[k]);
      this.ask = false;
    }
    const count = this.scheduler.admit(this.view.look(0), now, this.admitted);
    requireCount("scheduling.admit()", count, this.admitted.length);
    for (let k = 0; k < count; k++) this.begin(this.admitted[k], now);
  }

  private layToRest(now: number): void {
    if (this.running === 0 || this.scheduler.rest === undefined) return;
    this.resting.wakeUp();
    const { requests, removed } = this;
    const count = this.scheduler.rest(this.view.look(0), now, removed);
    requireCount("scheduling.rest()", count, removed.length);
    for (let k = 0; k < count; k++) {
      const id = removed[k];
      const runs = requests.place[id] === place.running && requests.worker[id] === this.index;
      if (!runs || requests.left[id] > 0) this.fail("not waiting", id, "it is to rest, and makes no tokens here");
      if (requests.pause[id] === pause.rests) this.fail("served twice", id, "it is to rest twice");
      this.resting.lay(id, requests.input[id] + requests.generated(id, this.steps), now);
    }
    this.resting.settle();
  }

  private fail(rule: Rule, request: number, what: string): never {
    const step = this.settings.rounds ? this.now : this.steps;
    throw new PolicyError(this.settings.scheduling.name, rule, request, step, `worker ${this.index}: ${what}.`);
  }

  private begin(id: number, now: number): void {
    this.checkAdmitted(id);
    const { requests, cache } = this;
    const tokens = requests.tokensAtStart(id);
    requests.place[id] = place.running;
    this.append(id, tokens);
    this.waiting--;
    this.waitingTokens -= tokens;
    const blocks = cache && requests.blocksOf(id);
    if (requests.transferred[id] === 1) {
      requests.left[id] = 0;
      this.decode(id, requests.made[id]);
      this.resting.comes(id, requests.firstToken[id]);
    } else {
      // The last token is always computed, and the next follows from it.
      const hit = blocks ? Math.min(cache!.held(blocks), requests.input[id], tokens - 1) : 0;
      this.prompts += tokens;
      this.hits += hit;
      this.prefills.add(id, tokens - hit);
    }
    if (blocks) cache!.use(blocks);
    cache?.trim(this.freeKv);
    this.events.started(id, now);
  }

  private checkAdmitted(id: number): void {
    const { place: places, worker } = this.requests;
    const at = places[id];
    if (at === place.running || at === place.served) this.fail("served twice", id, "it is admitted again");
    if (at !== place.worker || worker[id] !== this.index)
      this.fail("not waiting", id, "it is admitted, and does not wait here");
    if (this.running >= this.slots)
      this.fail("slots", id, `it is admitted beside ${this.running} on ${this.slots} slots`);
    const needed = this.requests.tokensAtStart(id) + 1;
    if (needed <= this.freeKv) return;
    this.fail(
      "kvTokens",
      id,
      `it is admitted with ${needed} KV tokens where ${this.freeKv} of ${this.kvTokens} are free`,
    );
  }

  /** It has `made` tokens, and makes one per step from now on. */
  private decode(id: number, made: number): void {
    const { base, output } = this.requests;
    base[id] = this.steps - made;
    this.ends.push(base[id] + output[id], id);
  }

  private makeRoom(now: number): void {
    const count = this.scheduler.evict(this.view.look(0), -this.freeKv, this.removed);
    requireCount("scheduling.evict()", count, this.removed.length);
    for (let k = 0; k < count; k++) this.evict(this.removed[k]);
    this.ask = true;
    if (this.freeKv >= 0) return;
    const what = `the next step needs ${-this.freeKv} KV tokens more than ${this.kvTokens}, and it evicts ${count} at time ${now}`;
    this.fail("kvTokens", this.last, what);
  }

  private evict(id: number): void {
    const { requests } = this;
    if (requests.place[id] !== place.running || requests.worker[id] !== this.index) {
      this.fail("not waiting", id, "it is evicted, and does not run here");
    }
    const generated = requests.generated(id, this.steps);
    this.leave(id, generated, this.now);
    this.resting.evict(id, requests.input[id] + generated);
    if (requests.left[id] > 0) {
      this.prefills.remove(id);
    } else {
      this.ends.remove(id);
    }
    requests.made[id] = this.settings.recompute ? generated : 0;
    this.evictions++;
    this.wasted += generated - requests.made[id];
    requests.transferred[id] = 0;
    requests.evictions[id]++;
    requests.place[id] = place.worker;
    this.waiting++;
    this.waitingTokens += requests.tokensAtStart(id);
    this.scheduler.evicted?.(this.seen.of(id, this.steps));
    this.events.evicted(id);
  }

  /** What the next step takes, with the part of the prompts that it prefills: from now on they count as done. */
  plan(work: StepWork, barrier: BarrierStep | undefined): void {
    work.running = this.stepping;
    work.held = this.held - this.resting.held;
    this.prefills.plan(work, barrier, this.now);
  }

  /** Steps that can be done before anything has to be decided: nobody begins, ends, or runs out of memory. */
  get undisturbed(): number {
    if (this.asks || this.scheduler.rest || this.prefills.count > 0 || this.resting.returning > 0) return 1;
    return Math.min(this.ends.leastKey - this.steps, Math.floor((this.kvTokens - this.held) / this.running));
  }

  /** `steps` have been done, the last of them at `now`. */
  advance(steps: number, now: number): void {
    if (this.running === 0) {
      this.steps += steps; // behind a barrier
      return;
    }
    const { base, output } = this.requests;
    const made = this.generating * steps;
    this.resting.stepped(steps, now, this.events);
    this.steps += steps;
    this.held += made;
    this.tokens += made;
    if (steps > 1) this.cache?.trim(this.kvTokens - this.held); // what running requests took, before some of it is free again
    this.makeFirstTokens(now);
    while (this.ends.leastKey <= this.steps) {
      const id = this.ends.pop();
      if (base[id] + output[id] <= this.steps) this.finish(id, now);
      else this.ends.push(base[id] + output[id], id); // it has rested
    }
  }

  private makeFirstTokens(now: number): void {
    if (this.prefills.count === 0) return;
    const { firstToken, made } = this.requests;
    for (const id of this.prefills.completed()) {
      if (firstToken[id] < 0) firstToken[id] = now;
      this.held++;
      this.tokens++;
      this.decode(id, made[id] + 1);
    }
  }

  private finish(id: number, now: number): void {
    this.leave(id, this.requests.output[id], now);
    this.requests.place[id] = place.served;
    this.requests.finish[id] = now;
    this.scheduler.finished?.(id);
    this.events.finished(id, now);
  }

  /** Gives back its slot and its memory. */
  private leave(id: number, generated: number, now: number): void {
    const { input } = this.requests;
    this.remove(id, input[id] + generated);
    this.cache?.release(this.requests.blocksOf(id), input[id], now);
    this.ask = true;
  }
}
