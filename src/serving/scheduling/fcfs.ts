import type { RequestView, Scheduler, SchedulingPolicy, WorkerView } from "../policy.ts";
import { WaitingQueue } from "../queue.ts";

/**
 * First come first served, as engines do by default: a request begins when a slot is free and its prompt, with its first token, fits in the memory
 * that is free now, and none before the one ahead of it. Where the memory runs out, the one that began last goes first, and waits ahead
 * of all others.
 */
export function fcfs(): SchedulingPolicy {
  return { name: "first come first served", create: () => new FirstComeFirstServed() };
}

class FirstComeFirstServed implements Scheduler {
  private readonly waiting = new WaitingQueue();

  /** The KV tokens that it begins with are kept as its input: one that was prefilled elsewhere has a token already. */
  arrived({ id, input, generated }: RequestView): void {
    this.waiting.push(id, input + generated + 1);
  }

  admit({ freeSlots, freeKv }: WorkerView, _now: number, out: Int32Array): number {
    const { waiting } = this;
    let count = 0;
    let free = freeKv;
    while (count < freeSlots && waiting.length > 0 && waiting.input <= free) {
      free -= waiting.input;
      out[count++] = waiting.id;
      waiting.shift();
    }
    return count;
  }

  evict({ running }: WorkerView, need: number, out: Int32Array): number {
    const begun: { id: number; frees: number }[] = [];
    for (const { id, input, generated } of running) begun.push({ id, frees: input + generated + 1 });
    let count = 0;
    for (let freed = 0; freed < need; count++) {
      const { id, frees } = begun.pop()!;
      out[count] = id;
      freed += frees;
    }
    return count;
  }

  evicted({ id, input, generated }: RequestView): void {
    this.waiting.unshift(id, input + generated + 1);
  }
}
