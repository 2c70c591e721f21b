import type { Fill } from "./bfio_objective.ts";

/** Margins that are passed one by one on the way to the peak. */
const FEW = 8;

/**
 * The two largest loads of each step ahead and whose they are: what the maximum is without a worker. Costs O(H) to keep where a load rises,
 * O(G) more for each step in which one of the two changes.
 */
export class Envelope {
  /** [H + 1] max over the workers other than those of the last call, less the load of the one that it was asked of. */
  readonly margin: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private readonly whoFirst: Int32Array;
  private readonly whoSecond: Int32Array;

  constructor(private readonly fill: Fill) {
    const { ahead } = fill;
    this.margin = new Float64Array(ahead);
    this.first = new Float64Array(ahead);
    this.second = new Float64Array(ahead);
    this.whoFirst = new Int32Array(ahead);
    this.whoSecond = new Int32Array(ahead);
  }

  rebuild(): void {
    for (let h = 0; h < this.fill.ahead; h++) this.scan(h);
  }

  /** Worker g's loads have changed. */
  changed(g: number): void {
    const { ahead, load } = this.fill;
    const { second, whoFirst, whoSecond } = this;
    for (let h = 0; h < ahead; h++) {
      const value = load[g * ahead + h];
      if (g === whoFirst[h] || g === whoSecond[h]) this.scan(h);
      else if (value > second[h]) this.insert(h, g, value);
    }
  }

  /** sum_h w_h max_g L_g(h). */
  largest(): number {
    let sum = 0;
    for (let h = 0; h < this.first.length; h++) sum += this.fill.weight[h] * this.first[h];
    return sum;
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

  /** The Q at which F is largest, the smallest m_h with beta sum_{h': m_h' <= m_h} w_h' >= sum_h w_h. Infinity where F only rises. */
  peak(): number {
    const { totalWeight, beta } = this.fill;
    let margin = Number.NEGATIVE_INFINITY;
    for (let round = 0; round < FEW; round++) {
      margin = this.nextMargin(margin);
      if (margin === Number.POSITIVE_INFINITY || beta * this.weightUpTo(margin) >= totalWeight) return margin;
    }
    return this.peakByHalving();
  }

  /**
   * What J falls by where worker g gets `tokens` prompt tokens and `requests` requests of worker e's. Where the two largest loads are theirs the
   * third need not be known: the larger of e's and g's is at least their mean, before and after.
   */
  gainOfPassing(e: number, g: number, tokens: number, requests: number): number {
    const { ahead, growth, load, weight, beta } = this.fill;
    const { first, second, whoFirst } = this;
    const perStep = requests * growth;
    let gain = 0;
    for (let h = 0; h < ahead; h++) {
      let most = whoFirst[h] === e || whoFirst[h] === g ? second[h] : first[h];
      const passed = tokens + perStep * h;
      const giver = load[e * ahead + h] - passed;
      const taker = load[g * ahead + h] + passed;
      if (giver > most) most = giver;
      if (taker > most) most = taker;
      gain += weight[h] * (first[h] - most);
    }
    return beta * gain;
  }

  /** Margins are whole numbers of tokens: O(H log m) instead of a round for each margin passed. */
  private peakByHalving(): number {
    const { margin } = this;
    const { totalWeight, beta } = this.fill;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let h = 0; h < margin.length; h++) {
      if (margin[h] < low) low = margin[h];
      if (margin[h] > high) high = margin[h];
    }
    if (beta * this.weightUpTo(high) < totalWeight) return Number.POSITIVE_INFINITY;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (beta * this.weightUpTo(middle) >= totalWeight) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private nextMargin(after: number): number {
    const { margin } = this;
    let next = Number.POSITIVE_INFINITY;
    for (let h = 0; h < margin.length; h++) if (margin[h] > after && margin[h] < next) next = margin[h];
    return next;
  }

  /** sum_{h: m_h <= tokens} w_h. */
  private weightUpTo(tokens: number): number {
    const { margin } = this;
    const { weight } = this.fill;
    let sum = 0;
    for (let h = 0; h < margin.length; h++) if (margin[h] <= tokens) sum += weight[h];
    return sum;
  }

  private scan(h: number): void {
    const { workers, ahead, load } = this.fill;
    this.first[h] = this.second[h] = Number.NEGATIVE_INFINITY;
    this.whoFirst[h] = this.whoSecond[h] = -1;
    let floor = Number.NEGATIVE_INFINITY;
    for (let g = 0, i = h; g < workers; g++, i += ahead) {
      if (load[i] <= floor) continue;
      this.insert(h, g, load[i]);
      floor = this.second[h];
    }
  }

  private insert(h: number, g: number, value: number): void {
    const { first, second, whoFirst, whoSecond } = this;
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
