import { Envelope } from "./bfio_envelope.ts";
import { addLoad, type Fill } from "./bfio_objective.ts";

/** Of the terms of J. Whole numbers are exact; weights and beta need not be whole. */
const ROUNDING = 2 ** -40;

/** A fill in the making: what is chosen so far, and the steps by which it is made and changed. Requests are named by their place in the window. */
export class Assignment {
  readonly envelope: Envelope;
  /** The requests that are assigned: the first `count`. */
  readonly chosen: Int32Array;
  count = 0;
  /** [G] sum_h w_h L_g(h). */
  readonly level: Float64Array;
  /** [G] The growth of as many requests as this is in the loads already, since a worker with room left over gets them for certain. */
  readonly foreseen: Int32Array;
  /** Loads and prompts that may still be looked at. */
  budget = 0;
  /** Gains up to this are taken for rounding, after which exchanges could go round in circles. */
  rounding = 0;
  /** [window] and [2, 2] for intermediate results. */
  readonly keys: Float64Array;
  readonly pairs = new Int32Array(4);
  /** sum_h w_h h, and 0 where loads stand still. */
  private readonly growthWeight: number;

  constructor(readonly fill: Fill) {
    this.envelope = new Envelope(fill);
    this.chosen = new Int32Array(fill.worker.length);
    this.level = new Float64Array(fill.workers);
    this.foreseen = new Int32Array(fill.workers);
    this.keys = new Float64Array(fill.worker.length);
    this.growthWeight = fill.growth * fill.weight.reduce((sum, w, h) => sum + w * h, 0);
  }

  /** @param every  each worker's room will be used up: their loads grow by as many requests from the beginning. */
  begin(every: boolean): void {
    const { fill, level, foreseen } = this;
    const { workers, ahead, weight, load } = fill;
    this.count = 0;
    for (let p = 0; p < fill.waiting; p++) fill.worker[p] = -1;
    for (let g = 0; g < workers; g++) {
      foreseen[g] = every ? fill.room[g] : 0;
      if (foreseen[g] > 0) addLoad(fill, g, 0, foreseen[g]);
      let sum = 0;
      for (let h = 0; h < ahead; h++) sum += weight[h] * load[g * ahead + h];
      level[g] = sum;
    }
    this.envelope.rebuild();
    this.rounding = ROUNDING * (fill.beta + workers) * this.envelope.largest();
  }

  /** Tokens of the largest prompt that fits. */
  largest(g: number): number {
    return this.fill.freeKv[g] - 1;
  }

  assign(p: number, g: number): void {
    const { fill, foreseen } = this;
    fill.worker[p] = g;
    this.chosen[this.count++] = p;
    fill.room[g]--;
    fill.freeKv[g] -= fill.prompt[p] + 1;
    if (foreseen[g] > 0) {
      foreseen[g]--;
      this.load(g, fill.prompt[p], 0);
    } else this.load(g, fill.prompt[p], 1);
  }

  /** Worker g has room that nothing fits into: what was foreseen does not come. */
  giveUp(g: number): void {
    const { foreseen } = this;
    if (foreseen[g] === 0) return;
    this.load(g, 0, -foreseen[g]);
    foreseen[g] = 0;
  }

  /** The k-th of the chosen waits, and request p, which waits, has its place. */
  replace(k: number, p: number): void {
    const { fill, chosen } = this;
    const before = chosen[k];
    const g = fill.worker[before];
    fill.worker[before] = -1;
    fill.worker[p] = g;
    chosen[k] = p;
    const more = fill.prompt[p] - fill.prompt[before];
    fill.freeKv[g] -= more;
    this.load(g, more, 0);
  }

  swap(p: number, q: number): void {
    const { fill } = this;
    const e = fill.worker[p];
    const g = fill.worker[q];
    const more = fill.prompt[p] - fill.prompt[q];
    fill.worker[p] = g;
    fill.worker[q] = e;
    fill.freeKv[e] += more;
    fill.freeKv[g] -= more;
    this.load(e, -more, 0);
    this.load(g, more, 0);
  }

  /** Only where nothing is foreseen. */
  move(p: number, g: number): void {
    const { fill } = this;
    const e = fill.worker[p];
    fill.worker[p] = g;
    fill.room[e]++;
    fill.room[g]--;
    fill.freeKv[e] += fill.prompt[p] + 1;
    fill.freeKv[g] -= fill.prompt[p] + 1;
    this.load(e, -fill.prompt[p], -1);
    this.load(g, fill.prompt[p], 1);
  }

  /** The waiting request with the largest prompt of at most so many tokens, the earliest of equal ones; -1 if there is none. */
  below(tokens: number): number {
    const { prompt, worker } = this.fill;
    let p = this.firstAbove(tokens) - 1;
    while (p >= 0 && worker[p] >= 0) p--;
    if (p <= 0 || prompt[p - 1] < prompt[p]) return p;
    p = this.firstAbove(prompt[p] - 0.5);
    while (worker[p] >= 0) p++;
    return p;
  }

  /** The waiting request with the smallest prompt of more than so many tokens, the earliest of equal ones; -1 if there is none. */
  above(tokens: number): number {
    const { worker, waiting } = this.fill;
    let p = this.firstAbove(tokens);
    while (p < waiting && worker[p] >= 0) p++;
    return p < waiting ? p : -1;
  }

  /** The place of the first prompt of more than so many tokens. */
  firstAbove(tokens: number): number {
    const { prompt, waiting } = this.fill;
    let low = 0;
    let high = waiting;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (prompt[middle] <= tokens) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private load(g: number, prompt: number, requests: number): void {
    addLoad(this.fill, g, prompt, requests);
    this.level[g] += prompt * this.fill.totalWeight + requests * this.growthWeight;
    this.envelope.changed(g);
  }
}
