import { MinHeap } from "../min_heap.ts";
import { WaitingQueue } from "../queue.ts";
import type { Job } from "./job.ts";

/** Who waits, and who is next. */
export interface Line {
  /** The next; undefined where none waits. */
  readonly first: Job | undefined;
  /** @param evicted  it ran before. */
  push(job: Job, evicted: boolean): void;
  /** Takes the first away; there must be one. */
  pop(): void;
  /** One that waits does so no longer. */
  remove(job: Job): void;
}

/** Jobs that wait, the least key first, of equals the one that came first. Each operation takes O(log n), on average over many. */
export class Waiting implements Line {
  private heap = new MinHeap();
  /** By their turns. The heap may hold turns of jobs that have been removed: less than half of it. */
  private readonly jobs = new Map<number, Job>();

  get size(): number {
    return this.jobs.size;
  }

  get first(): Job | undefined {
    return this.jobs.size === 0 ? undefined : this.jobs.get(this.heap.least)!;
  }

  push(job: Job): void {
    this.jobs.set(job.turn, job);
    this.heap.push(job.key, job.turn);
  }

  pop(): void {
    this.jobs.delete(this.heap.pop());
    this.skip();
  }

  remove(job: Job): void {
    if (!this.jobs.delete(job.turn)) return;
    if (2 * this.jobs.size < this.heap.size) {
      this.heap = new MinHeap();
      for (const { key, turn } of this.jobs.values()) this.heap.push(key, turn);
    }
    this.skip();
  }

  /** The heap's first is one that waits. */
  private skip(): void {
    while (this.heap.size > 0 && !this.jobs.has(this.heap.least)) this.heap.pop();
  }
}

/** Jobs in the order in which they came, evicted ones ahead of all others. Each operation takes constant time, on average over many. */
export class Arrivals implements Line {
  private readonly queue = new WaitingQueue<Job>();

  get first(): Job | undefined {
    return this.queue.length === 0 ? undefined : this.queue.item;
  }

  push(job: Job, evicted: boolean): void {
    if (evicted) this.queue.unshift(job.id, job.input, job);
    else this.queue.push(job.id, job.input, job);
  }

  pop(): void {
    this.queue.shift();
  }

  remove({ id }: Job): void {
    this.queue.remove(id);
  }
}
