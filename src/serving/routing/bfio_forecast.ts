import type { WorkerView } from "../policy.ts";
import type { Fill } from "./bfio_objective.ts";
import { predictedOutput, type Requests } from "./bfio_requests.ts";

/** Steps ahead, modulo which the ends beyond the horizon are filed: a power of two. */
const WHEEL = 256;

/**
 * base_g(h): the loads of workers' active requests h = 0..H steps ahead.
 *
 *   base_g(h) = sum over active i with r_i > h of (s_i + generated_i + growth h),   r_i = max(1, predicted_i - generated_i)
 *
 * Either from what runs, in O(running); or, where a worker's steps are known, from what was sent to it: all that runs gets a token in each
 * step, so that a sum over requests, and the sums over those that end at each of the next H steps, move on by themselves. Then a profile
 * costs O(H), and a step the walk over a list that holds an end beyond the horizon with probability 1 / WHEEL. All are whole numbers: both
 * ways give the same.
 */
export class Forecast {
  /** [G] requests sent to a worker since its steps were known, and not finished. */
  readonly active: Float64Array;
  /** [G] the steps up to which the sums below are moved on, -1 before the first. */
  private readonly now: Float64Array;
  /** [G] sum of s_i - start_i over the active. */
  private readonly base: Float64Array;
  /** [G] those whose predicted end is past. */
  private readonly late: Float64Array;
  private readonly lateBase: Float64Array;
  /** [G, H + 1] those that end at step e in now + 1..now + H, at e modulo H + 1. */
  private readonly ending: Float64Array;
  private readonly endingBase: Float64Array;
  /** [G, WHEEL] first of a list of those that end later. */
  private readonly wheel: Int32Array;
  private readonly ring: number;
  private readonly growth: number;
  /** [H + 1] */
  private readonly counts: Float64Array;

  constructor(
    { workers, ahead, growth }: Fill,
    /** Whether a request that has outlived its prediction is taken to end with the next step, or to stay. */
    private readonly overdueEnds: boolean,
    private readonly requests: Requests,
  ) {
    this.ring = ahead;
    this.growth = growth;
    this.active = new Float64Array(workers);
    this.now = new Float64Array(workers).fill(-1);
    this.base = new Float64Array(workers);
    this.late = new Float64Array(workers);
    this.lateBase = new Float64Array(workers);
    this.ending = new Float64Array(workers * this.ring);
    this.endingBase = new Float64Array(workers * this.ring);
    this.wheel = new Int32Array(workers * WHEEL).fill(-1);
    this.counts = new Float64Array(this.ring);
  }

  /** A request starts at worker g, whose profile has been asked for with the same view. */
  started(row: number, g: number): void {
    const { requests, now } = this;
    requests.worker[row] = g;
    requests.base[row] = requests.prompt[row] - now[g];
    requests.end[row] = now[g] + requests.output[row];
    this.active[g]++;
    this.base[g] += requests.base[row];
    this.file(row, g, 1);
  }

  finished(row: number): void {
    const g = this.requests.worker[row];
    this.active[g]--;
    this.base[g] -= this.requests.base[row];
    this.file(row, g, -1);
  }

  /** base_g into load[offset..offset + H]. */
  profile(view: WorkerView, g: number, load: Float64Array, offset: number): void {
    if (view.steps === undefined) {
      this.ofRunning(view, load, offset);
      return;
    }
    if (view.steps > this.now[g]) this.advance(g, view.steps);
    const { ring, growth } = this;
    const now = this.now[g];
    let count = this.active[g];
    let base = this.base[g];
    load[offset] = base + count * now;
    if (this.overdueEnds) {
      count -= this.late[g];
      base -= this.lateBase[g];
    }
    let phase = now % ring;
    for (let h = 1; h < ring; h++) {
      phase = phase + 1 === ring ? 0 : phase + 1;
      const slot = g * ring + phase;
      count -= this.ending[slot];
      base -= this.endingBase[slot];
      load[offset + h] = base + count * (now + growth * h);
    }
  }

  /** Those sent to the worker that do not run yet are taken to begin now, if the view tells their tokens. */
  private ofRunning(view: WorkerView, load: Float64Array, offset: number): void {
    const { ring, growth, counts } = this;
    // Until the last loop load holds the tokens of those that end after h steps, counts how many they are.
    for (let h = 0; h < ring; h++) load[offset + h] = counts[h] = 0;
    let count = 0;
    let held = 0;
    for (const r of view.running) {
      const tokens = r.input + r.generated;
      const left = predictedOutput(r.predicted) - r.generated;
      count++;
      held += tokens;
      const h = Math.max(left, 1);
      if (h >= ring || (left < 1 && !this.overdueEnds)) continue;
      counts[h]++;
      load[offset + h] += tokens;
    }
    const coming = view.load === undefined ? 0 : Math.max(view.load - held, 0);
    held += coming;
    if (coming > 0) count += view.waiting;
    for (let h = 0; h < ring; h++) {
      count -= counts[h];
      held -= load[offset + h];
      load[offset + h] = held + count * growth * h;
    }
  }

  private advance(g: number, steps: number): void {
    const { ring, requests, now } = this;
    const before = now[g];
    now[g] = steps;
    if (before < 0) return;
    const last = Math.min(steps, before + ring - 1);
    for (let e = before + 1; e <= last; e++) {
      const slot = g * ring + (e % ring);
      this.late[g] += this.ending[slot];
      this.lateBase[g] += this.endingBase[slot];
      this.ending[slot] = this.endingBase[slot] = 0;
    }
    const reach = steps + ring - 1;
    const lists = Math.min(steps - before, WHEEL);
    for (let i = 0; i < lists; i++) {
      let row = this.wheel[g * WHEEL + ((reach - i) % WHEEL)];
      while (row >= 0) {
        const next = requests.next[row];
        if (requests.end[row] <= reach) {
          this.unlink(row, g);
          this.file(row, g, 1);
        }
        row = next;
      }
    }
  }

  /** Enters a request where its end belongs, or (-1) takes it out from there. */
  private file(row: number, g: number, sign: 1 | -1): void {
    const { requests, ring } = this;
    const end = requests.end[row];
    const now = this.now[g];
    if (end <= now) {
      this.late[g] += sign;
      this.lateBase[g] += sign * requests.base[row];
    } else if (end < now + ring) {
      const slot = g * ring + (end % ring);
      this.ending[slot] += sign;
      this.endingBase[slot] += sign * requests.base[row];
    } else if (end !== Number.POSITIVE_INFINITY) {
      if (sign > 0) this.link(row, g);
      else this.unlink(row, g);
    }
  }

  private link(row: number, g: number): void {
    const { next, previous, end } = this.requests;
    const head = g * WHEEL + (end[row] % WHEEL);
    const first = this.wheel[head];
    next[row] = first;
    previous[row] = -1;
    if (first >= 0) previous[first] = row;
    this.wheel[head] = row;
  }

  private unlink(row: number, g: number): void {
    const { next, previous, end } = this.requests;
    if (next[row] >= 0) previous[next[row]] = previous[row];
    if (previous[row] >= 0) next[previous[row]] = next[row];
    else this.wheel[g * WHEEL + (end[row] % WHEEL)] = next[row];
  }
}
