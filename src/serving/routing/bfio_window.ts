import type { Fill } from "./bfio_objective.ts";
import type { Requests } from "./bfio_requests.ts";

/**
 * The requests that wait: the first of them in order of arrival in a window that is kept in order of their prompts, the others behind it in a queue.
 */
export class Window {
  /** [fill.waiting] rows of the requests in the window, parallel to fill.prompt. */
  readonly row: Int32Array;
  private queue = new Int32Array(64);
  private head = 0;
  private queued = 0;

  constructor(
    private readonly fill: Fill,
    private readonly requests: Requests,
  ) {
    this.row = new Int32Array(fill.prompt.length);
  }

  push(row: number): void {
    if (this.queued === 0 && this.fill.waiting < this.row.length) this.insert(row);
    else this.enqueue(row);
  }

  /** A request that waits is withdrawn. */
  withdraw(row: number): void {
    const { fill } = this;
    const p = this.row.subarray(0, fill.waiting).indexOf(row);
    if (p >= 0) {
      fill.worker[p] = 0;
      for (let q = 0; q < fill.waiting; q++) if (q !== p) fill.worker[q] = -1;
      this.removeAssigned();
      return;
    }
    // Rare: it has not even been looked at. The others move up.
    const mask = this.queue.length - 1;
    let kept = 0;
    for (let i = 0; i < this.queued; i++) {
      const other = this.queue[(this.head + i) & mask];
      if (other !== row) this.queue[(this.head + kept++) & mask] = other;
    }
    this.queued = kept;
  }

  /** Those that have a worker leave; as many move up from the queue. */
  removeAssigned(): void {
    const { fill, row } = this;
    let kept = 0;
    for (let p = 0; p < fill.waiting; p++) {
      if (fill.worker[p] >= 0) continue;
      row[kept] = row[p];
      fill.prompt[kept] = fill.prompt[p];
      fill.arrival[kept] = fill.arrival[p];
      kept++;
    }
    fill.waiting = kept;
    while (this.queued > 0 && fill.waiting < row.length) {
      this.insert(this.queue[this.head]);
      this.head = (this.head + 1) & (this.queue.length - 1);
      this.queued--;
    }
  }

  private insert(newcomer: number): void {
    const { fill, row } = this;
    const prompt = this.requests.prompt[newcomer];
    let low = 0;
    let high = fill.waiting;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fill.prompt[middle] <= prompt) low = middle + 1;
      else high = middle;
    }
    row.copyWithin(low + 1, low, fill.waiting);
    fill.prompt.copyWithin(low + 1, low, fill.waiting);
    fill.arrival.copyWithin(low + 1, low, fill.waiting);
    row[low] = newcomer;
    fill.prompt[low] = prompt;
    fill.arrival[low] = this.requests.arrival[newcomer];
    fill.waiting++;
  }

  private enqueue(row: number): void {
    const length = this.queue.length;
    if (this.queued === length) {
      const larger = new Int32Array(2 * length);
      larger.set(this.queue.subarray(this.head));
      larger.set(this.queue.subarray(0, this.head), length - this.head);
      this.queue = larger;
      this.head = 0;
    }
    this.queue[(this.head + this.queued++) & (this.queue.length - 1)] = row;
  }
}
