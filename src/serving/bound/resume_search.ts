import { ArgumentError } from "../../common/errors.ts";
import type { BoundSettings } from "./bound_options.ts";
import type { RoundRequests } from "./round_requests.ts";

/** States between two looks at the clock. */
const PIECE = 64;

/**
 * All that can happen round by round where a request may pause between any two tokens: from each vector of tokens made, every set of requests that fits on the
 * workers makes one more. Request i holds s_i + j in the round of its j-th token, and nothing in others. Of the states of a round those go on from which
 * less than the best can still come, if from then on every request makes a token in each round.
 */
export class ResumeSearch {
  nodes = 0;
  /** What is known of the least sum of finish times where the search has been stopped. */
  open = Number.POSITIVE_INFINITY;
  /** Of a vector of tokens made, as a number: request i's count times unit[i]. */
  private readonly unit: number[];
  private readonly all: number;
  private readonly made: Int32Array;
  /** Requests that may make a token in this round. */
  private readonly ready: number[] = [];
  private readonly tokens: Float64Array;
  private readonly running: Int32Array;
  private next = new Map<number, number>();

  /**
   * @param best  sum of the finish times of a schedule; replaced by a lesser one.
   * @throws {ArgumentError} There are too many states to number.
   */
  constructor(
    private readonly requests: RoundRequests,
    private readonly settings: BoundSettings,
    public best: number,
    private readonly most: number,
  ) {
    let states = 1;
    this.unit = Array.from(requests.output, (o) => {
      const unit = states;
      states *= o + 1;
      return unit;
    });
    if (states > Number.MAX_SAFE_INTEGER)
      throw new ArgumentError("trace", "a product of (output + 1) below 2^53, for preemption resume", states);
    this.all = states - 1;
    this.made = new Int32Array(requests.count);
    this.tokens = new Float64Array(settings.workers);
    this.running = new Int32Array(settings.workers);
  }

  /** Runs to the end, with pauses. */
  *run(): Generator<undefined, void> {
    let states = new Map([[0, 0]]);
    for (let now = 0; states.size > 0; now++) {
      for (const [state, finished] of states) {
        if (state === this.all) {
          this.best = Math.min(this.best, finished);
          continue;
        }
        const bound = this.look(state, finished, now);
        if (bound >= this.best) continue;
        if (this.nodes >= this.most) {
          this.open = Math.min(this.open, bound);
          continue;
        }
        if (++this.nodes % PIECE === 0) yield;
        this.go(0, state, finished, now + 1);
      }
      states = this.next;
      this.next = new Map();
    }
  }

  /** Takes a state apart. @returns the least sum of finish times that can come of it. */
  private look(state: number, finished: number, now: number): number {
    const { count, release, output } = this.requests;
    let bound = finished;
    this.ready.length = 0;
    for (let i = 0; i < count; i++) {
      this.made[i] = Math.floor(state / this.unit[i]) % (output[i] + 1);
      if (this.made[i] === output[i]) continue;
      bound += Math.max(now, release[i]) + output[i] - this.made[i];
      if (release[i] <= now) this.ready.push(i);
    }
    return bound;
  }

  /** Each of the ready from number x on makes a token on some worker, or none. */
  private go(x: number, state: number, finished: number, round: number): void {
    const { ready, tokens, running, made } = this;
    if (x === ready.length) {
      const before = this.next.get(state);
      if (before === undefined || finished < before) this.next.set(state, finished);
      return;
    }
    const i = ready[x];
    const { kvTokens, slots } = this.settings;
    const holds = this.requests.input[i] + made[i] + 1;
    const ends = made[i] + 1 === this.requests.output[i];
    for (let g = 0; g < tokens.length; g++) {
      if (tokens[g] + holds <= kvTokens && running[g] < slots) {
        tokens[g] += holds;
        running[g]++;
        this.go(x + 1, state + this.unit[i], finished + (ends ? round : 0), round);
        tokens[g] -= holds;
        running[g]--;
      }
      if (running[g] === 0) break; // the others are as empty
    }
    this.go(x + 1, state, finished, round);
  }
}
