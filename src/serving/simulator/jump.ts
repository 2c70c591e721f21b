/**
 * Steps of which nobody begins or ends in between. Each running request gains a token per step, so that step j (from 0) lasts
 * first + j growth, and j steps have been done at
 *
 *   start + j first + growth j (j - 1) / 2
 */
export class Jump {
  constructor(
    readonly start: number,
    /** How long the first step lasts, > 0. */
    readonly first: number,
    /** By how much each lasts longer than the one before it, >= 0. */
    readonly growth: number,
    public steps: number,
  ) {}

  get end(): number {
    return this.at(this.steps);
  }

  /** When j steps have been done. */
  at(j: number): number {
    return this.start + j * this.first + (this.growth * j * (j - 1)) / 2;
  }

  /** Steps that have been done at a time. */
  done(time: number): number {
    if (time >= this.end) return this.steps;
    let j = Math.max(0, Math.min(this.steps, Math.floor(this.root(time))));
    while (j > 0 && this.at(j) > time) j--; // the root is rounded
    while (j < this.steps && this.at(j + 1) <= time) j++;
    return j;
  }

  /** Ends it with the step that is under way at a time. */
  cutAfter(time: number): void {
    const j = this.done(time);
    this.steps = Math.min(this.steps, Math.max(1, this.at(j) < time ? j + 1 : j));
  }

  /** The real j at which j steps have been done, without cancellation. */
  private root(time: number): number {
    const passed = time - this.start;
    if (this.growth === 0) return passed / this.first;
    const slope = this.first - this.growth / 2;
    return (2 * passed) / (slope + Math.sqrt(slope * slope + 2 * this.growth * passed));
  }

  /** Sum over the steps that are done at a time, and the part of the one under way, of duration x (value + step x rise). */
  area(time: number, value: number, rise: number): number {
    const j = this.done(time);
    const sum1 = (j * (j - 1)) / 2;
    const sum2 = (sum1 * (2 * j - 1)) / 3;
    const whole = value * (j * this.first + this.growth * sum1) + rise * (this.first * sum1 + this.growth * sum2);
    return whole + (time - this.at(j)) * (value + rise * j);
  }
}
