import { EvenkeelError, nameErrors } from "../common/errors.ts";

/** What a policy sees of a request. One object that is used again and again: read what is needed and do not keep it. */
export interface RequestView {
  /** Its index in the trace. */
  readonly id: number;
  /** s, or rounds. */
  readonly arrival: number;
  /** Tokens of its prompt. */
  readonly input: number;
  /** Tokens generated so far. */
  readonly generated: number;
  /** Tokens that it will generate in all, by the prediction model: a point, or an interval that holds them; undefined without one. */
  readonly predicted?: number | readonly [number, number];
  readonly session?: number;
  readonly class?: number;
  readonly value?: number;
  /** Ids of the prompt's prefix blocks, from its beginning on. */
  readonly blocks?: Int32Array;
  /** Tokens of a block. */
  readonly blockTokens?: number;
}

/**
 * What a policy sees of a worker. For a router these are signals, which may be stale. The last five are optional: a router that has no
 * such signal leaves them out, and a policy that needs them makes do with `running`.
 */
export interface WorkerView {
  readonly index: number;
  /** Slots without a running request. */
  readonly freeSlots: number;
  /** KV tokens that newcomers may take, each with its prompt and the first token that it makes: what is free once each running request has its next. */
  readonly freeKv: number;
  /** Requests sent to it that do not run yet. */
  readonly waiting: number;
  /** In the order in which they began. The view that it yields is used again. */
  readonly running: Iterable<RequestView>;
  /** How many run. */
  readonly batch?: number;
  /** L_g: KV tokens held by those that run, and prompt tokens of those that wait for it. */
  readonly load?: number;
  /** Prompt tokens, running or waiting, that are still to be prefilled. */
  readonly prefill?: number;
  /** Steps that it has done. */
  readonly steps?: number;
  /** Its KV memory in tokens. */
  readonly kvTokens?: number;
}

/** Where requests wait: each worker has a queue of its own, or they wait at the router until a worker has a slot for them. */
export type Queue = "worker" | "router";

export interface RouterOptions {
  workers: number;
  seed: number;
  /** "worker" by default. */
  queue?: Queue;
}

/** A policy at work: fed by events, asked for decisions. The same object in the simulator and in a live router. */
export interface Router {
  /** A request has come; it waits until it is assigned. */
  arrived(r: RequestView): void;
  /** A request has been served, or rejected. */
  finished?(id: number): void;
  /**
   * Sends waiting requests to workers, for good.
   *
   * @param workers  in the order of their index. Views do not change during the call.
   * @param now  s, or rounds.
   * @param out  id, worker, id, worker, ...: there is room for all that wait.
   * @returns the number of pairs that were set.
   */
  assign(workers: readonly WorkerView[], now: number, out: Int32Array): number;
}

/** Which worker gets which request. */
export interface RoutingPolicy {
  name: string;
  create(o: RouterOptions): Router;
}

export interface SchedulerOptions {
  slots: number;
  kvTokens: number;
  seed: number;
}

/** A policy of one worker at work. */
export interface Scheduler {
  /** A request has been sent to this worker; it waits until it is admitted. */
  arrived(r: RequestView): void;
  finished?(id: number): void;
  /**
   * Asked before a step if something has come, gone or been evicted since it was last asked, and something waits; a scheduler that has `rest`
   * before every step that something waits for; where no slot is free only one that has `preempt`.
   *
   * @param out  ids that begin with this step: there is room for `freeSlots`, and one more.
   * @returns how many were set.
   */
  admit(w: WorkerView, now: number, out: Int32Array): number;
  /**
   * Asked before `admit`: who makes way for one that waits.
   *
   * @param out  ids of running requests that lose their KV: there is room for all that run.
   * @returns how many were set.
   */
  preempt?(w: WorkerView, now: number, out: Int32Array): number;
  /**
   * Asked before each step, after `admit`: who keeps its KV, and makes no token in this step. Where all rest there is no step until something
   * comes. Asked again if somebody has been evicted or admitted since, so that an answer changes nothing by itself.
   *
   * @param out  ids of running requests whose prompts are prefilled: there is room for all that run.
   * @returns how many were set.
   */
  rest?(w: WorkerView, now: number, out: Int32Array): number;
  /**
   * Asked where the next step, without those that rest, does not fit in the memory.
   *
   * @param need  KV tokens that must become free.
   * @param out  ids of running requests that lose their KV and begin again: there is room for all that run.
   * @returns how many were set.
   */
  evict(w: WorkerView, need: number, out: Int32Array): number;
  /** Told once, where nobody steps and nothing more will come by itself: who has waited for company goes on without. */
  drain?(): void;
  /** It waits again, without its KV: by `generated` without its tokens, too, or with them. */
  evicted?(r: RequestView): void;
}

/** Which of a worker's requests run. */
export interface SchedulingPolicy {
  name: string;
  create(o: SchedulerOptions): Scheduler;
}

export type Rule = "slots" | "kvTokens" | "served twice" | "lost" | "not waiting" | "migrated";

/** A policy has broken a rule of the simulation: a mistake in the policy, told with the rule, the request and the step. */
export class PolicyError extends EvenkeelError {
  constructor(
    readonly policy: string,
    readonly rule: Rule,
    readonly request: number,
    readonly step: number,
    what: string,
  ) {
    super(`${policy}: rule "${rule}" broken by request ${request} at step ${step}: ${what}`);
  }
}
nameErrors({ PolicyError });
