import { ArgumentError } from "../../common/errors.ts";
import type { Assignment } from "./bfio_assignment.ts";
import { fillFast } from "./bfio_fill.ts";
import { addLoad, type Fill, objective } from "./bfio_objective.ts";

/** A second at most. */
const NODE_LIMIT = 1_000_000;

/** Of the terms of J: less is rounding. */
const ROUNDING = 2 ** -40;

/**
 * Settles a fill by branch and bound: of the ways to assign as many requests as can be (min(|W|, room), or as many as memory lets in), one with
 * the least J. The largest prompts are placed first, on each worker or on none, below the bound of `Search.bound`.
 *
 * @throws {ArgumentError} It takes more than 1,000,000 nodes.
 */
export function fillExact(a: Assignment): void {
  const { fill } = a;
  const start = copyOf(fill);
  fillFast(a);
  const fast = { worker: fill.worker.slice(0, fill.waiting), count: a.count, value: objective(fill) };
  const room = start.room.reduce((sum, r) => sum + r, 0);
  const limit = { nodes: NODE_LIMIT };
  let best: Int32Array | undefined;
  for (let count = Math.min(room, fill.waiting); !best && count >= fast.count; count--) {
    const incumbent = count === fast.count ? fast.value : Number.POSITIVE_INFINITY;
    best = new Search(copyOf(start), count, incumbent, limit).run() ?? (count === fast.count ? fast.worker : undefined);
  }
  fill.load.set(start.load);
  fill.room.set(start.room);
  fill.freeKv.set(start.freeKv);
  a.begin(false);
  for (const [p, g] of (best ?? fast.worker).entries()) if (g >= 0) a.assign(p, g);
}

/** A bound of J over all ways to assign `count` of the requests that wait. Infinity where there is none for certain. */
export function boundOfFill(fill: Fill, count: number): number {
  return new Search(copyOf(fill), count, Number.POSITIVE_INFINITY, { nodes: 0 }).bound(fill.waiting, count);
}

function copyOf(fill: Fill): Fill {
  const worker = fill.worker.slice().fill(-1);
  return { ...fill, load: fill.load.slice(), room: fill.room.slice(), freeKv: fill.freeKv.slice(), worker };
}

class Search {
  /** [|W| + 1] tokens of the first so many prompts. */
  private readonly sums: Float64Array;
  /** [H + 1] z_h's lower bound, and the tokens that fit below it on workers with room. */
  private readonly level: Float64Array;
  private readonly below: Float64Array;
  /** Growth of those still to come is in the loads already. */
  private readonly foreseen: boolean;
  private best: Int32Array | undefined;
  private readonly rounding: number;

  constructor(
    private readonly fill: Fill,
    private readonly count: number,
    private value: number,
    private readonly limit: { nodes: number },
  ) {
    const { workers, ahead, waiting, prompt, room } = fill;
    this.sums = new Float64Array(waiting + 1);
    for (let p = 0; p < waiting; p++) this.sums[p + 1] = this.sums[p] + prompt[p];
    this.level = new Float64Array(ahead);
    this.below = new Float64Array(ahead);
    // If all room is used up, each worker's count is known.
    this.foreseen = count === room.reduce((sum, r) => sum + r, 0);
    if (this.foreseen) for (let g = 0; g < workers; g++) addLoad(fill, g, 0, room[g]);
    const scale = Math.max(...fill.load) + this.sums[waiting] + ahead * count;
    this.rounding = ROUNDING * fill.beta * fill.totalWeight * scale;
  }

  /** [|W|] the workers of the best way with a J below the value given; undefined if there is none. */
  run(): Int32Array | undefined {
    this.place(this.fill.waiting, this.count);
    return this.best;
  }

  /**
   * A lower bound of J where `left` of the first n requests, the smallest prompts, are still to be placed.
   *
   * Let R be the workers with room, Q the prompt tokens of those that come, and S_h = sum_g L_g(h) with the growth of those. Then
   *
   *   z_h >= max_g L_g(h),                                          loads only rise
   *   z_h >= min_{g in R} L_g(h) + the left-th smallest prompt,     one of those that come is at least as large, and lands in R
   *   |R| z_h >= sum_{g in R} L_g(h) + growth + Q,                  all of it lands in R
   *
   * so that J >= sum_h w_h (beta z_h(Q) - S_h - Q) with z_h(Q) the largest of the three: convex and piecewise linear in Q. Its minimum over
   * Q from the `left` smallest prompts' sum to the largest ones', at an end or a kink, holds for whatever is chosen. One Q for all h:
   * the bound of a linear program in which requests can be split, between workers of R and into smaller and larger ones.
   */
  bound(n: number, left: number): number {
    const { workers, ahead, growth, load, room, prompt, weight, beta, totalWeight } = this.fill;
    const { level, below } = this;
    const perStep = this.foreseen ? 0 : growth;
    const forced = left > 0 ? prompt[left - 1] : 0;
    let constant = 0;
    let open = 0;
    for (let g = 0; g < workers; g++) if (room[g] > 0) open++;
    if (left > 0 && open === 0) return Number.POSITIVE_INFINITY;
    for (let h = 0; h < ahead; h++) {
      let most = 0;
      let least = Number.POSITIVE_INFINITY;
      let sum = 0;
      let sumOpen = 0;
      for (let g = 0; g < workers; g++) {
        const value = load[g * ahead + h];
        sum += value;
        if (value > most) most = value;
        if (room[g] <= 0) continue;
        sumOpen += value;
        if (value < least) least = value;
      }
      level[h] = left > 0 ? Math.max(most, least + forced + perStep * h) : most;
      below[h] = open * level[h] - sumOpen - left * perStep * h;
      constant += weight[h] * (beta * level[h] - sum - left * perStep * h);
    }
    if (left === 0) return constant;
    const from = this.sums[left];
    const to = this.sums[n] - this.sums[n - left];
    let rise = Math.min(this.rise(from, open) - totalWeight * from, this.rise(to, open) - totalWeight * to);
    for (let h = 0; h < ahead; h++) {
      const kink = below[h];
      if (kink > from && kink < to) rise = Math.min(rise, this.rise(kink, open) - totalWeight * kink);
    }
    return constant + rise;
  }

  /** beta sum_h w_h (z_h(Q) - level_h). */
  private rise(tokens: number, open: number): number {
    const { ahead, weight, beta } = this.fill;
    let rise = 0;
    for (let h = 0; h < ahead; h++) if (tokens > this.below[h]) rise += weight[h] * (tokens - this.below[h]);
    return (beta * rise) / open;
  }

  /** Branches on the n-th smallest prompt. */
  private place(n: number, left: number): void {
    const { fill } = this;
    if (n < left) return;
    if (--this.limit.nodes < 0) throw tooLarge(fill);
    if (this.bound(n, left) >= this.value - this.rounding) return;
    if (left === 0) {
      this.value = objective(fill);
      this.best = fill.worker.slice(0, fill.waiting);
      return;
    }
    const p = n - 1;
    const twin = p + 1 < fill.waiting && fill.prompt[p + 1] === fill.prompt[p] ? fill.worker[p + 1] : -1;
    // Of equal prompts the earlier is not left behind, and gets no later worker.
    const last = twin >= 0 ? twin : fill.workers - 1;
    const growth = this.foreseen ? 0 : 1;
    for (let g = last; g >= 0; g--) {
      if (fill.room[g] <= 0 || fill.prompt[p] + 1 > fill.freeKv[g] || this.hasTwin(g, last)) continue;
      this.put(p, g, growth, 1);
      this.place(p, left - 1);
      this.put(p, g, growth, -1);
    }
    if (twin < 0) this.place(p, left);
  }

  private put(p: number, g: number, growth: number, sign: 1 | -1): void {
    const { fill } = this;
    addLoad(fill, g, sign * fill.prompt[p], sign * growth);
    fill.room[g] -= sign;
    fill.freeKv[g] -= sign * (fill.prompt[p] + 1);
    fill.worker[p] = sign > 0 ? g : -1;
  }

  /** Whether a later worker up to `last` is in the same state, so that it will do. */
  private hasTwin(g: number, last: number): boolean {
    const { ahead, load, room, freeKv } = this.fill;
    for (let other = g + 1; other <= last; other++) {
      let same = room[g] === room[other] && freeKv[g] === freeKv[other];
      for (let h = 0; same && h < ahead; h++) same = load[g * ahead + h] === load[other * ahead + h];
      if (same) return true;
    }
    return false;
  }
}

function tooLarge(fill: Fill): ArgumentError {
  const expected = `fills that branch and bound settles within ${NODE_LIMIT.toLocaleString("en-US")} nodes`;
  const came = `${fill.workers} workers, ${fill.waiting} requests`;
  return new ArgumentError("options.exact", expected, came, "Leave it out: the fast form has no such limit.");
}
