/**
 * Recorded loads of another number of tokens: loads * total / (their sum) in whole numbers that add up to `total`. All are rounded down, and what is left
 * goes to the largest remainders, of equal ones to the first (Hamilton's rule). Exact for whole loads with loads * total < 2^53.
 */
export class ScaledLoads {
  /** [E] */
  readonly loads: Int32Array;
  private readonly remainders: Float64Array;
  private readonly ascending: Float64Array;

  constructor(experts: number) {
    this.loads = new Int32Array(experts);
    this.remainders = new Float64Array(experts);
    this.ascending = new Float64Array(experts);
  }

  /**
   * Writes `loads`.
   *
   * @param recorded  [E] finite and >= 0, of sum > 0.  @param total  A whole number, at most 2^31 - 1.
   */
  scale(recorded: Float64Array, sum: number, total: number): void {
    const { loads, remainders } = this;
    let left = total;
    for (let e = 0; e < loads.length; e++) {
      const product = recorded[e] * total;
      let whole = Math.floor(product / sum);
      if (whole * sum > product) whole--; // the quotient was rounded up to a whole number
      loads[e] = whole;
      remainders[e] = product - whole * sum;
      left -= whole;
    }
    if (left > 0) this.giveToLargest(left);
  }

  private giveToLargest(count: number): void {
    const { loads, remainders, ascending } = this;
    ascending.set(remainders);
    ascending.sort();
    const least = ascending[loads.length - count];
    let left = count;
    for (let e = 0; e < loads.length; e++) {
      if (remainders[e] <= least) continue;
      loads[e]++;
      left--;
    }
    for (let e = 0; left > 0; e++) {
      if (remainders[e] !== least) continue;
      loads[e]++;
      left--;
    }
  }
}
