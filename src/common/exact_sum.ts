/** A sum to and from which many numbers go, without what rounding would leave behind: what is lost at each step is kept beside it. */
export class ExactSum {
  private sum = 0;
  private lost = 0;

  get value(): number {
    return this.sum + this.lost;
  }

  /** What the value would be with this one, too. */
  plus(one: number): number {
    const next = this.sum + one;
    return next + (this.lost + roundedOff(this.sum, one, next));
  }

  add(one: number): void {
    const next = this.sum + one;
    this.lost += roundedOff(this.sum, one, next);
    this.sum = next;
  }
}

/** a + b = sum + this (O. Moeller, 1965; D. Knuth). */
function roundedOff(a: number, b: number, sum: number): number {
  const rest = sum - a;
  return a - (sum - rest) + (b - rest);
}
