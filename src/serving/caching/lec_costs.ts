/** Costs of misses as far as they have been observed, of each key by its number: what one is expected to cost. */
export class ObservedCosts {
  private readonly observed: number[] = [];
  private readonly sum: number[] = [];

  /**
   * @param least  B1, which stands for what has never been observed.
   * @param width  What is taken off the mean of one observation, and of n of them by sqrt(n) less; 0: nothing.
   */
  constructor(
    private readonly least: number,
    private readonly width: number,
  ) {}

  /** For a number that is used, or used again. */
  clear(i: number): void {
    this.observed[i] = 0;
    this.sum[i] = 0;
  }

  add(i: number, cost: number): void {
    this.observed[i]++;
    this.sum[i] += cost;
  }

  /** max(B1, mean - width / sqrt(n)). */
  expected(i: number): number {
    const n = this.observed[i];
    return n === 0 ? this.least : Math.max(this.least, this.sum[i] / n - this.width / Math.sqrt(n));
  }
}
