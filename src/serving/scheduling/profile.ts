/**
 * The memory of a set of jobs over time, when each gains a token per step and is gone after its end:
 *
 *   usage(t) = sum over jobs with end >= t of (weight + t)
 *
 * where weight = tokens held at time 0, had it run then. Usage rises until a job ends, so that it is highest at an end, and a newcomer fits if it does at the ends
 * up to its own. Jobs that end together share a row; a row is found by binary search, and an addition or removal moves at most one number per row.
 *
 * @see Jaillet et al., arXiv 2502.07115.
 */
export class Profile {
  /** Rows in order of their ends: jobs that end then, and the sum of their weights. */
  private ends = new Float64Array(16);
  private counts = new Float64Array(16);
  private weights = new Float64Array(16);
  private rows = 0;
  // From a row on, counts and weights of it and all later ones; and up to a row, from `head` on, the largest usage(t) + t of the ends.
  private countsFrom = new Float64Array(16);
  private weightsFrom = new Float64Array(16);
  private highest = new Float64Array(16);
  /** The first row that ends after `now`. */
  private head = 0;
  private now = Number.NEGATIVE_INFINITY;
  /** The derived numbers are those of the rows. */
  private settled = true;

  add(end: number, weight: number): void {
    const row = this.rowAt(end);
    if (row === this.rows || this.ends[row] !== end) this.insert(row, end);
    this.counts[row]++;
    this.weights[row] += weight;
    this.settled = false;
  }

  /** One that was added with these. */
  remove(end: number, weight: number): void {
    const row = this.rowAt(end);
    this.counts[row]--;
    this.weights[row] -= weight;
    this.settled = false;
    if (this.counts[row] > 0) return;
    for (const numbers of [this.ends, this.counts, this.weights]) numbers.copyWithin(row, row + 1, this.rows);
    this.rows--;
  }

  clear(): void {
    this.rows = 0;
    this.settled = false;
  }

  /**
   * The largest usage(t) + t of the ends t with now < t < end, and of `end`: a newcomer of this end fits into a memory of M tokens if this, and its weight,
   * are M at most. Who should have ended by now is not counted: it is taken to end with the next step.
   */
  peak(now: number, end: number): number {
    this.settle(now);
    const row = Math.max(this.head, this.rowAt(end));
    const own = row < this.rows ? this.weightsFrom[row] + (this.countsFrom[row] + 1) * end : end;
    return row > this.head ? Math.max(own, this.highest[row - 1]) : own;
  }

  private settle(now: number): void {
    if (this.settled && now === this.now) return;
    const head = this.rowAt(now + 1);
    this.now = now;
    if (this.settled && head === this.head) return;
    this.head = head;
    this.settled = true;
    const { ends, counts, weights, countsFrom, weightsFrom, highest, rows } = this;
    let count = 0;
    let weight = 0;
    for (let row = rows - 1; row >= head; row--) {
      countsFrom[row] = count += counts[row];
      weightsFrom[row] = weight += weights[row];
    }
    let most = Number.NEGATIVE_INFINITY;
    for (let row = head; row < rows; row++) {
      const here = weightsFrom[row] + (countsFrom[row] + 1) * ends[row];
      highest[row] = most = here > most ? here : most;
    }
  }

  /** The first row that ends at this time or later. */
  private rowAt(time: number): number {
    const { ends } = this;
    let low = 0;
    let high = this.rows;
    while (low < high) {
      const row = (low + high) >> 1;
      if (ends[row] < time) low = row + 1;
      else high = row;
    }
    return low;
  }

  private insert(row: number, end: number): void {
    if (this.rows === this.ends.length) this.grow();
    for (const numbers of [this.ends, this.counts, this.weights]) numbers.copyWithin(row + 1, row, this.rows);
    this.rows++;
    this.ends[row] = end;
    this.counts[row] = 0;
    this.weights[row] = 0;
  }

  private grow(): void {
    const larger = (numbers: Float64Array) => {
      const all = new Float64Array(2 * numbers.length);
      all.set(numbers);
      return all;
    };
    this.ends = larger(this.ends);
    this.counts = larger(this.counts);
    this.weights = larger(this.weights);
    this.countsFrom = larger(this.countsFrom);
    this.weightsFrom = larger(this.weightsFrom);
    this.highest = larger(this.highest);
  }
}
