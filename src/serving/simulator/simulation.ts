import { ArgumentError } from "../../common/errors.ts";
import { Pauses } from "../../common/pauses.ts";
import { PolicyError } from "../policy.ts";
import type { Trace } from "../trace/trace.ts";
import { BarrierStep } from "./barrier_step.ts";
import { Dispatch } from "./dispatch.ts";
import { Embeddings } from "./embeddings.ts";
import { Meter, type Totals } from "./meter.ts";
import type { Settings } from "./options.ts";
import { predictorOf } from "./prediction.ts";
import { PrefillWorkers } from "./prefill_pool.ts";
import { place, Requests } from "./requests.ts";
import { SeriesRecorder } from "./series_recorder.ts";
import { StepGroup } from "./step_group.ts";
import { Worker } from "./worker.ts";
import type { Events } from "./worker_events.ts";

/** Events between two looks at the clock; where experts are balanced in each, 1. */
const PIECE = 256;

/**
 * Requests that come, wait, run and finish. Time jumps from event to event: a request comes, or steps end before which nobody begins, ends or runs out
 * of memory. At a time first steps end, then requests come, then the router sends them, then workers let them in and begin their next steps.
 */
export class Simulation implements Events {
  readonly requests: Requests;
  readonly workers: readonly Worker[];
  readonly meter: Meter;
  readonly series: SeriesRecorder;
  /** What had added up by the end of the warm-up and by the last start. */
  from: Totals | undefined;
  to: Totals | undefined;
  /** What has in the end. */
  end: Totals;
  private readonly groups: StepGroup[];
  private readonly dispatch: Dispatch;
  private readonly prefill: PrefillWorkers | undefined;
  private readonly barrier: BarrierStep | undefined;
  private readonly room: number;
  /** Between two steps now. */
  private readonly between: StepGroup[] = [];
  private now = 0;
  /** Requests that have come, that wait anywhere, that run, and that have been served or rejected. */
  private come = 0;
  private waiting = 0;
  private running = 0;
  private done = 0;
  /** Somebody begins at this time. */
  private starts = false;

  constructor(
    trace: Trace,
    private readonly settings: Settings,
  ) {
    const { workers, rounds, barrier, prefill } = settings;
    this.requests = new Requests(trace, predictorOf(settings.prediction, settings.seed));
    const embeddings = settings.embeddings && new Embeddings(trace.images!, settings.embeddings, settings.seed);
    this.meter = new Meter(barrier, embeddings);
    const { requests, meter } = this;
    this.workers = workers.map((spec, g) => new Worker(g, spec, requests, settings, this, embeddings));
    meter.install(this.workers);
    const members = barrier ? [this.workers] : this.workers.map((worker) => [worker]);
    this.barrier = barrier ? new BarrierStep(workers, rounds, requests) : undefined;
    this.groups = members.map((some) => new StepGroup(some, rounds, meter, settings.experts, this.barrier));
    const groupOf = (worker: number) => this.groups[barrier ? 0 : worker];
    this.dispatch = new Dispatch(settings, requests, this.workers, groupOf, (id) => this.reject(id));
    this.prefill = prefill && new PrefillWorkers(prefill, requests, rounds, workers.length, embeddings);
    this.series = new SeriesRecorder(this.groups, workers.length, rounds);
    this.end = meter.totals(0, this.groups);
    this.room = Math.max(...workers.map(({ kvTokens }) => kvTokens));
    if (!settings.reject) this.checkSizes();
  }

  async run(signal?: AbortSignal, onProgress?: (share: number) => void): Promise<void> {
    const pauses = new Pauses(signal);
    signal?.throwIfAborted();
    for (const share of this.pieces()) {
      if (!pauses.due) continue;
      onProgress?.(share);
      await pauses.take();
    }
    onProgress?.(1);
  }

  /** All of it at once. */
  runThrough(): void {
    for (const _ of this.pieces());
  }

  /** @yields the share of the requests that are served, where others may run. */
  private *pieces(): Generator<number> {
    const piece = this.settings.experts ? 1 : PIECE;
    for (let events = 1; ; events++) {
      const next = this.next();
      if (next === Number.POSITIVE_INFINITY) {
        if (!this.drain()) break;
        continue;
      }
      this.happen(next);
      if (events % piece === 0) yield this.done / this.requests.count;
    }
    this.end = this.meter.totals(this.now, this.groups);
    if (this.from === undefined) this.warm(this.now);
    if (this.done < this.requests.count) this.lost();
  }

  started(id: number, now: number): void {
    if (this.requests.start[id] < 0) this.requests.start[id] = now;
    this.waiting--;
    this.running++;
    this.starts = true;
    this.barrier?.started(id, this.groups[0].steps);
  }

  evicted(): void {
    this.waiting++;
    this.running--;
  }

  gap(seconds: number): void {
    this.meter.gaps.add(seconds, 1);
  }

  finished(id: number): void {
    this.running--;
    this.done++;
    this.dispatch.finished(id);
  }

  /** It has waited for nothing: no worker that it is sent to holds it. */
  private reject(id: number): void {
    const { requests } = this;
    requests.place[id] = place.rejected;
    requests.start[id] = requests.firstToken[id] = requests.worker[id] = -1;
    this.waiting--;
    this.done++;
  }

  /** The next event. */
  private next(): number {
    let least = Math.min(this.dispatch.next, this.prefill?.next ?? Number.POSITIVE_INFINITY);
    for (const { end } of this.groups) if (end < least) least = end;
    if (this.come < this.requests.count) {
      if (this.settings.pool === undefined) least = Math.min(least, this.requests.arrival[this.come]);
      else if (this.come === 0) least = 0;
    }
    const { warmUp } = this.settings;
    return this.from === undefined && least > warmUp && least < Number.POSITIVE_INFINITY ? warmUp : least;
  }

  /** Schedulers of workers that do not step are told to wait for nobody. @returns whether something may happen now. */
  private drain(): boolean {
    let some = false;
    for (const group of this.groups) {
      if (!group.idle) continue;
      for (const worker of group.workers) {
        if (!worker.drain()) continue;
        group.wake(worker, this.now);
        some = true;
      }
    }
    return some;
  }

  private happen(now: number): void {
    this.starts = false;
    this.dispatch.read(now);
    this.series.sampleUntil(now, this.waiting);
    this.meter.passed(this.now, now, this.waiting, this.running, this.groups);
    this.now = now;
    if (this.from === undefined && now >= this.settings.warmUp) this.warm(now);
    this.between.length = 0;
    for (const group of this.groups) {
      if (group.end > now) continue;
      group.finish(now);
      this.between.push(group);
    }
    this.comeUntil(now);
    this.dispatch.assign(now);
    this.begin(now);
  }

  private warm(now: number): void {
    this.from = this.meter.totals(now, this.groups);
    this.meter.warm();
  }

  private comeUntil(now: number): void {
    const { requests, prefill, dispatch } = this;
    const { pool } = this.settings;
    prefill?.finish(now);
    if (pool === undefined) {
      while (this.come < requests.count && requests.arrival[this.come] <= now) this.arrive(this.come++);
    } else {
      while (this.come < requests.count && dispatch.waiting + (prefill?.queued ?? 0) < pool) {
        requests.arrival[this.come] = now;
        this.arrive(this.come++);
      }
    }
    if (prefill) this.throughPrefill(prefill, now);
  }

  private arrive(id: number): void {
    if (this.isTooLarge(id)) {
      this.requests.place[id] = place.rejected;
      this.done++;
      return;
    }
    this.waiting++;
    if (this.prefill) this.prefill.arrive(id);
    else this.dispatch.arrive(id);
  }

  private throughPrefill(prefill: PrefillWorkers, now: number): void {
    const begun = prefill.begin(now);
    this.waiting -= begun;
    if (begun > 0) this.starts = true;
    const { output, firstToken, finish, made, transferred } = this.requests;
    for (let id = prefill.arrived(now); id !== undefined; id = prefill.arrived(now)) {
      if (output[id] === 1) {
        finish[id] = firstToken[id];
        this.requests.place[id] = place.served;
        this.done++;
      } else {
        made[id] = 1;
        transferred[id] = 1;
        this.waiting++;
        this.dispatch.arrive(id);
      }
    }
  }

  /** Workers between two steps, and those that were idle and have got something, go on. */
  private begin(now: number): void {
    for (const group of this.groups) {
      if (group.jump === undefined && group.end <= now) this.between.push(group);
    }
    for (const group of this.between) if (group.jump === undefined) group.begin(now);
    if (this.allSent) this.drain();
    if (this.starts) this.to = this.meter.fill(this.to ?? ({} as Totals), now, this.groups);
  }

  /** Nothing more will come to any worker. */
  private get allSent(): boolean {
    const { come, requests, dispatch, prefill } = this;
    return come === requests.count && dispatch.waiting === 0 && (prefill?.next ?? Infinity) === Infinity;
  }

  private isTooLarge(id: number): boolean {
    const { input, output } = this.requests;
    return input[id] + output[id] > this.room || !(this.prefill?.fits(input[id]) ?? true);
  }

  /** Every worker must hold every request, since policies do not know outputs and may send it to any. */
  private checkSizes(): void {
    const { count, input, output } = this.requests;
    const least = this.workers.reduce((a, b) => (b.kvTokens < a.kvTokens ? b : a));
    for (let id = 0; id < count; id++) {
      const peak = input[id] + output[id];
      if (peak <= least.kvTokens && !this.isTooLarge(id)) continue;
      const what = `${input[id]} + ${output[id]} KV tokens at its end within the memory of worker ${least.index}, ${least.kvTokens}`;
      throw new ArgumentError(`trace, request ${id}`, what, peak, 'tooLarge: "reject" counts such requests.');
    }
  }

  private lost(): never {
    const { place: places } = this.requests;
    const id = places.findIndex((at) => at !== place.served && at !== place.rejected);
    const atRouter = places[id] === place.router;
    const { routing, scheduling } = this.settings;
    const most = this.workers.reduce((most, worker) => Math.max(most, worker.steps), 0);
    const steps = this.settings.rounds ? Math.floor(this.now) : most;
    const where = atRouter ? "the router" : `worker ${this.requests.worker[id]}`;
    const what = `it waits at ${where} at the end, and nothing more happens.`;
    throw new PolicyError(atRouter ? routing.name : scheduling.name, "lost", id, steps, what);
  }
}
