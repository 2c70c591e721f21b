const LEAST_ROOM = 64;

/** How many requests have been counted at each stage; as many as have been can be forgotten at once. */
export class StageCounts {
  private counts = new Int32Array(LEAST_ROOM);
  private readonly touched: number[] = [];

  /** Counts one. @returns how many there are now. */
  add(stage: number): number {
    if (stage >= this.counts.length) this.grow(stage);
    if (this.counts[stage] === 0) this.touched.push(stage);
    return ++this.counts[stage];
  }

  clear(): void {
    for (const stage of this.touched) this.counts[stage] = 0;
    this.touched.length = 0;
  }

  private grow(stage: number): void {
    const { counts } = this;
    this.counts = new Int32Array(2 ** Math.ceil(Math.log2(stage + 1)));
    this.counts.set(counts);
  }
}
