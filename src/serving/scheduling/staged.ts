import type { RequestView, Scheduler, WorkerView } from "../policy.ts";
import { WaitingQueue } from "../queue.ts";
import { evictLast, victimOf } from "./eviction.ts";

/**
 * Requests begin when enough of them wait, and as many together as are enough; a request's stage is the number of its tokens. One that has begun is
 * prefilled without a rest. Where the memory runs out, those that began last go first, and wait ahead of all others; until one has finished
 * nobody rests for want of company: memory that rests would have others evicted again and again.
 */
export abstract class Staged implements Scheduler {
  /** Nobody is held back: nothing more comes, or somebody has been evicted, and nobody has finished since. */
  private drained = false;
  private short = false;
  /** What else is kept of one that waits: tokens that it has. */
  private readonly queues: WaitingQueue<number>[];
  /** When some last began, of each queue. */
  private readonly begunAt: Float64Array;
  /** Running ones that may have no token since they began, and the tokens that they began with. */
  private readonly begun = new Map<number, number>();

  /** @param enough  of each queue. */
  constructor(private readonly enough: readonly number[]) {
    this.queues = enough.map(() => new WaitingQueue());
    this.begunAt = new Float64Array(enough.length).fill(-1);
  }

  protected abstract queueOf(r: RequestView): number;

  abstract rest(w: WorkerView, now: number, out: Int32Array): number;

  arrived(r: RequestView): void {
    this.queues[this.queueOf(r)].push(r.id, r.input + r.generated + 1, r.generated);
  }

  finished(id: number): void {
    this.begun.delete(id);
    this.short = false;
  }

  admit({ freeSlots, freeKv }: WorkerView, now: number, out: Int32Array): number {
    let count = 0;
    let free = freeKv;
    for (const [j, queue] of this.queues.entries()) {
      if (!this.enoughWait(j)) continue;
      const most = Math.min(freeSlots, count + this.enough[j]);
      while (count < most && queue.length > 0 && queue.input <= free) {
        free -= queue.input;
        this.begun.set(queue.id, queue.item);
        this.begunAt[j] = now;
        out[count++] = queue.id;
        queue.shift();
      }
    }
    return count;
  }

  evict(w: WorkerView, need: number, out: Int32Array): number {
    return evictLast(Array.from(w.running, victimOf), need, out);
  }

  evicted(r: RequestView): void {
    this.begun.delete(r.id);
    this.short = true;
    this.queues[this.queueOf(r)].unshift(r.id, r.input + r.generated + 1, r.generated);
  }

  drain(): void {
    this.drained = true;
  }

  /** Whether nobody rests for want of company. */
  protected get free(): boolean {
    return this.drained || this.short;
  }

  /** Whether enough waited when this step was asked for, those among them that begin with it. */
  protected goes(queue: number, now: number): boolean {
    return this.free || this.begunAt[queue] === now || this.enoughWait(queue);
  }

  /** Whether it has made a token since it began. Without one it may still be being prefilled, and must not rest. */
  protected hasStepped({ id, generated }: RequestView): boolean {
    const before = this.begun.get(id);
    if (before === undefined) return true;
    if (before === generated) return false;
    this.begun.delete(id);
    return true;
  }

  private enoughWait(queue: number): boolean {
    return this.drained || this.queues[queue].length >= this.enough[queue];
  }
}
