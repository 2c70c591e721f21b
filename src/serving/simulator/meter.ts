import type { BarrierStep } from "./barrier_step.ts";
import type { Embeddings } from "./embeddings.ts";
import { GapHistogram } from "./gap_histogram.ts";
import type { Jump } from "./jump.ts";
import type { Worker } from "./worker.ts";

/** What has added up by a time. */
export interface Totals {
  time: number;
  steps: number;
  tokens: number;
  evictions: number;
  /** Tokens lost by them. */
  wasted: number;
  /** Tokens of all starts, and those of them that were in prefix caches. */
  prompts: number;
  hits: number;
  /** Tokens of the images of all prefills, and those of them that were in caches of embeddings. */
  images: number;
  imageHits: number;
  /** Requests x time. */
  queue: number;
  running: number;
  /** KV tokens x time. */
  held: number;
  /** Time in which workers step, over all of them. */
  busy: number;
  /** Behind a barrier, over the steps: shares of slots and of memory at their start, idle shares at their end. */
  slotShares: number;
  kvShares: number;
  idleShares: number;
  /** Behind a barrier over the ends of steps, else KV tokens x time. */
  imbalance: number;
  /** Behind a barrier: what steps take, must take, and would with even loads. */
  stepTime: number;
  barrierBound: number;
  stepEven: number;
  /** s of steps that their MoE layers take. */
  expertTime: number;
  /** J, beyond that of workers that do nothing. */
  energy: number;
}

/** Workers that step together, and the steps under way. */
export interface Stepping {
  readonly workers: readonly Worker[];
  readonly jump: Jump | undefined;
  /** Steps under way that have been done. */
  done(now: number): number;
}

/** Of a worker that does nothing, and what the heaviest load adds to it [Chen et al., 2601.17855]. */
export const IDLE_WATTS = 100;
export const LOAD_WATTS = 300;
const POWER_EXPONENT = 0.7;

/** Adds up what is averaged over time, or over steps. */
export class Meter {
  /** Between the tokens that were made from the warm-up's end on. */
  gaps = new GapHistogram();
  private steps = 0;
  private queue = 0;
  private running = 0;
  private held = 0;
  private busy = 0;
  private slotShares = 0;
  private kvShares = 0;
  private idleShares = 0;
  private imbalance = 0;
  private energy = 0;
  private stepTime = 0;
  private barrierBound = 0;
  private stepEven = 0;
  private expertTime = 0;
  private slots = 0;
  private kvTokens = 0;

  constructor(
    private readonly barrier: boolean,
    private readonly embeddings: Embeddings | undefined,
  ) {}

  /** Before the first step. */
  install(workers: readonly Worker[]): void {
    for (const { slots, kvTokens } of workers) {
      this.slots += slots;
      this.kvTokens += kvTokens;
    }
  }

  /** From one event to the next so many waited and ran. */
  passed(from: number, to: number, waiting: number, running: number, groups: readonly Stepping[]): void {
    this.queue += (to - from) * waiting;
    this.running += (to - from) * running;
    if (this.barrier || to === from) return;
    // In between loads grow along lines, but for the steps in them, so that the middle tells the mean.
    this.imbalance += (to - from) * imbalanceAt((from + to) / 2, groups);
    for (const { jump, workers } of groups) if (jump === undefined) this.held += (to - from) * workers[0].held;
  }

  /** What comes from here on is not the warm-up any more. */
  warm(): void {
    this.gaps = new GapHistogram();
  }

  /** Before the tokens of the steps that have been done are counted. */
  stepped(workers: readonly Worker[], jump: Jump, expertTime: number, barrier: BarrierStep | undefined): void {
    this.steps += jump.steps;
    this.expertTime += expertTime;
    if (barrier) {
      this.stepTime += barrier.time;
      this.barrierBound += barrier.bound;
      this.stepEven += barrier.even;
    }
    let running = 0;
    let held = 0;
    for (const worker of workers) {
      this.gaps.addSteps(jump, worker.decoding);
      this.held += jump.area(jump.end, worker.held, worker.decoding);
      if (worker.stepping > 0) this.busy += jump.end - jump.start;
      running += worker.running;
      held += worker.held;
    }
    this.slotShares += running / this.slots;
    this.kvShares += held / this.kvTokens;
  }

  /** After the tokens have been counted and the finished have left, before others begin. */
  measured(workers: readonly Worker[], jump: Jump): void {
    if (!this.barrier) return;
    let most = 0;
    let sum = 0;
    for (const { held } of workers) {
      most = Math.max(most, held);
      sum += held;
    }
    this.imbalance += workers.length * most - sum;
    let watts = 0;
    for (const { held } of workers) {
      const share = held / (most || 1);
      this.idleShares += (1 - share) / workers.length;
      watts += LOAD_WATTS * share ** POWER_EXPONENT;
    }
    this.energy += watts * (jump.end - jump.start);
  }

  totals(now: number, groups: readonly Stepping[]): Totals {
    return this.fill({} as Totals, now, groups);
  }

  /** The same in an object that is there already: this is asked at every start. */
  fill(totals: Totals, now: number, groups: readonly Stepping[]): Totals {
    let { steps, held, busy } = this;
    let tokens = 0;
    let evictions = 0;
    let wasted = 0;
    let prompts = 0;
    let hits = 0;
    for (const group of groups) {
      const { jump, workers } = group;
      const done = group.done(now);
      steps += done;
      for (const worker of workers) {
        tokens += worker.tokens + done * worker.decoding;
        evictions += worker.evictions;
        wasted += worker.wasted;
        prompts += worker.prompts;
        hits += worker.hits;
        if (jump === undefined) continue;
        held += jump.area(now, worker.held, worker.decoding);
        if (worker.stepping > 0) busy += now - jump.start;
      }
    }
    totals.time = now;
    totals.steps = steps;
    totals.tokens = tokens;
    totals.evictions = evictions;
    totals.wasted = wasted;
    totals.prompts = prompts;
    totals.hits = hits;
    totals.images = this.embeddings?.asked ?? 0;
    totals.imageHits = this.embeddings?.found ?? 0;
    totals.queue = this.queue;
    totals.running = this.running;
    totals.held = held;
    totals.busy = busy;
    totals.slotShares = this.slotShares;
    totals.kvShares = this.kvShares;
    totals.idleShares = this.idleShares;
    totals.imbalance = this.imbalance;
    totals.stepTime = this.stepTime;
    totals.barrierBound = this.barrierBound;
    totals.stepEven = this.stepEven;
    totals.expertTime = this.expertTime;
    totals.energy = this.barrier ? this.energy : LOAD_WATTS * busy;
    return totals;
  }
}

/** sum_g (L_max - L_g), KV tokens. */
function imbalanceAt(time: number, groups: readonly Stepping[]): number {
  let most = 0;
  let sum = 0;
  let count = 0;
  for (const group of groups) {
    const done = group.done(time);
    for (const { held, decoding } of group.workers) {
      const load = held + done * decoding;
      if (load > most) most = load;
      sum += load;
      count++;
    }
  }
  return count * most - sum;
}

/** What has been added between two times. */
export function between(from: Totals, to: Totals): Totals {
  const names = Object.keys(to) as (keyof Totals)[];
  return Object.fromEntries(names.map((name) => [name, to[name] - from[name]])) as unknown as Totals;
}
