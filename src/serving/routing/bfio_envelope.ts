import type { Fill } from "./bfio_objective.ts";

/**
 * The three largest loads of each step ahead and whose they are: what the maximum is without any two workers. Costs O(H) to keep where a
 * load rises, O(G) more for each step in which one of the three falls.
 */
export class Envelope {
  /** [H + 1] max over the workers other than those of the last call, less the load of the one that it was asked of. */
  readonly margin: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private readonly third: Float64Array;
  private readonly whoFirst: Int32Array;
  private readonly whoSecond: Int32Array;
  private readonly whoThird: Int32Array;

  constructor(private readonly fill: Fill) {
    const { ahead } = fill;
    this.margin = new Float64Array(ahead);
    this.first = new Float64Array(ahead);
    this.second = new Float64Array(ahead);
    this.third = new Float64Array(ahead);
    this.whoFirst = new Int32Array(ahead);
    this.whoSecond = new Int32Array(ahead);
    this.whoThird = new Int32Array(ahead);
  }

  rebuild(): void {
    for (let h = 0; h < this.fill.ahead; h++) this.scan(h);
  }

  /** Worker g's loads have changed. */
  changed(g: number): void {
    const { ahead, load } = this.fill;
    const { third, whoFirst, whoSecond, whoThird } = this;
    for (let h = 0; h < ahead; h++) {
      const value = load[g * ahead + h];
      if (g === whoFirst[h] || g === whoSecond[h] || g === whoThird[h]) this.scan(h);
      else if (value > third[h]) this.insert(h, g, value);
    }
  }

  /** Whether some step ahead has its maximum at worker g. */
  isTop(g: number): boolean {
    const { whoFirst } = this;
    for (let h = 0; h < whoFirst.length; h++) if (whoFirst[h] === g) return true;
    return false;
  }

  /** m_h = max_{g' != g} L_g'(h) - L_g(h), into `margin`; negative where g's load is the largest. */
  measure(g: number): void {
    const { ahead, load } = this.fill;
    const { margin, first, second, whoFirst } = this;
    for (let h = 0, i = g * ahead; h < ahead; h++, i++) {
      margin[h] = (whoFirst[h] === g ? second[h] : first[h]) - load[i];
    }
  }

  /** F(Q) of the worker last measured: what Q more prompt tokens on it take from J, but for a constant. Concave, Q may be negative. */
  gain(tokens: number): number {
    const { weight, totalWeight, beta } = this.fill;
    const { margin } = this;
    let over = 0;
    for (let h = 0; h < margin.length; h++) {
      const excess = tokens - margin[h];
      if (excess > 0) over += weight[h] * excess;
    }
    return totalWeight * tokens - beta * over;
  }

  /** The Q at which F is largest: its slope sum_h w_h - beta sum_{h: m_h < Q} w_h is positive before and not after. Infinity where F only rises. */
  peak(): number {
    const { weight, totalWeight, beta } = this.fill;
    const { margin } = this;
    let passed = 0;
    let last = Number.NEGATIVE_INFINITY;
    for (let n = 0; n < margin.length; n++) {
      let next = Number.POSITIVE_INFINITY;
      let here = 0;
      for (let h = 0; h < margin.length; h++) {
        const m = margin[h];
        if (m <= last) continue;
        if (m < next) {
          next = m;
          here = weight[h];
        } else if (m === next) here += weight[h];
      }
      passed += here;
      if (beta * passed >= totalWeight) return next;
      last = next;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** What J falls by where worker g gets `tokens` prompt tokens and `requests` requests of worker e's. */
  gainOfPassing(e: number, g: number, tokens: number, requests: number): number {
    const { ahead, growth, load, weight, beta } = this.fill;
    const { first, second, third, whoFirst, whoSecond } = this;
    const perStep = requests * growth;
    let gain = 0;
    for (let h = 0; h < ahead; h++) {
      let most = first[h];
      if (whoFirst[h] === e || whoFirst[h] === g) {
        most = whoSecond[h] === e || whoSecond[h] === g ? third[h] : second[h];
      }
      const passed = tokens + perStep * h;
      const giver = load[e * ahead + h] - passed;
      const taker = load[g * ahead + h] + passed;
      if (giver > most) most = giver;
      if (taker > most) most = taker;
      gain += weight[h] * (first[h] - most);
    }
    return beta * gain;
  }

  private scan(h: number): void {
    const { workers, ahead, load } = this.fill;
    this.first[h] = this.second[h] = this.third[h] = Number.NEGATIVE_INFINITY;
    this.whoFirst[h] = this.whoSecond[h] = this.whoThird[h] = -1;
    let floor = Number.NEGATIVE_INFINITY;
    for (let g = 0, i = h; g < workers; g++, i += ahead) {
      if (load[i] <= floor) continue;
      this.insert(h, g, load[i]);
      floor = this.third[h];
    }
  }

  private insert(h: number, g: number, value: number): void {
    const { first, second, third, whoFirst, whoSecond, whoThird } = this;
    if (value <= second[h]) {
      third[h] = value;
      whoThird[h] = g;
      return;
    }
    third[h] = second[h];
    whoThird[h] = whoSecond[h];
    if (value <= first[h]) {
      second[h] = value;
      whoSecond[h] = g;
      return;
    }
    second[h] = first[h];
    whoSecond[h] = whoFirst[h];
    first[h] = value;
    whoFirst[h] = g;
  }
}
