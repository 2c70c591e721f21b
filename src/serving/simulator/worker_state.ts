import type { WorkerSpec } from "./options.ts";
import type { Prefills } from "./prefills.ts";
import type { Requests } from "./requests.ts";
import { Resting } from "./resting.ts";

/** How many requests wait for a worker and run on it, and the memory that these hold. */
export class WorkerState {
  readonly slots: number;
  readonly kvTokens: number;
  /** Done so far. */
  steps = 0;
  running = 0;
  /** KV tokens of the running ones. */
  held = 0;
  waiting = 0;
  /** KV tokens that the waiting ones begin with. */
  waitingTokens = 0;
  /** The running ones, in the order in which they began: the ends of the list that `requests` links. */
  first = -1;
  last = -1;
  protected readonly resting: Resting;

  constructor(
    readonly index: number,
    spec: WorkerSpec,
    protected readonly requests: Requests,
    readonly prefills: Prefills,
  ) {
    this.slots = spec.slots;
    this.kvTokens = spec.kvTokens;
    this.resting = new Resting(requests);
  }

  /** Tokens that newcomers may take, when each running request has its next one. */
  get freeKv(): number {
    return this.kvTokens - this.held - this.running;
  }

  /** Running ones that take part in the next step. */
  get stepping(): number {
    return this.running - this.resting.count;
  }

  /** Running ones that make a token in each of the next steps, and had one in the step before. */
  get decoding(): number {
    return this.stepping - this.prefills.count - this.resting.returning;
  }

  /** Running ones that make a token in the next step, but for those that the prefill of their prompts gives their first. */
  get generating(): number {
    return this.stepping - this.prefills.count;
  }

  protected append(id: number, tokens: number): void {
    const { next, previous } = this.requests;
    next[id] = -1;
    previous[id] = this.last;
    if (this.last >= 0) next[this.last] = id;
    else this.first = id;
    this.last = id;
    this.running++;
    this.held += tokens;
  }

  protected remove(id: number, tokens: number): void {
    const { next, previous } = this.requests;
    if (previous[id] >= 0) next[previous[id]] = next[id];
    else this.first = next[id];
    if (next[id] >= 0) previous[next[id]] = previous[id];
    else this.last = previous[id];
    this.running--;
    this.held -= tokens;
  }
}
