import { MinHeap } from "../min_heap.ts";
import { chunkContext, stepSeconds } from "../step_time.ts";
import type { Embeddings, Encode } from "./embeddings.ts";
import type { PrefillPool, WorkerSpec } from "./options.ts";
import { place, type Requests } from "./requests.ts";

/** Prefill on workers of its own: prompts whole, first come first served, then their KV is transferred. */
export class PrefillWorkers {
  private readonly waiting: number[] = [];
  private head = 0;
  private readonly batches: (number[] | undefined)[];
  private readonly ends: Float64Array;
  private readonly encode: readonly (Encode | undefined)[];
  private readonly transfers = new MinHeap();
  /** With rounds: when what has come between two can begin. */
  private wakes = Number.POSITIVE_INFINITY;

  constructor(
    private readonly pool: PrefillPool,
    private readonly requests: Requests,
    private readonly rounds: boolean,
    /** The number of its first worker. */
    private readonly firstIndex: number,
    embeddings: Embeddings | undefined,
  ) {
    this.encode = pool.pool.map((_, g) => embeddings?.of(firstIndex + g));
    this.batches = pool.pool.map(() => undefined);
    this.ends = new Float64Array(pool.pool.length).fill(Number.POSITIVE_INFINITY);
  }

  fits(input: number): boolean {
    return this.pool.pool.some(({ kvTokens }) => input <= kvTokens);
  }

  /** Requests that no worker of it has begun. */
  get queued(): number {
    return this.waiting.length - this.head;
  }

  /** When a batch or a transfer ends. */
  get next(): number {
    let least = Math.min(this.transfers.leastKey, this.wakes);
    for (const end of this.ends) if (end < least) least = end;
    return least;
  }

  arrive(id: number): void {
    this.requests.place[id] = place.prefill;
    this.waiting.push(id);
  }

  /** Whose KV has arrived at the other workers by now, with its first token; undefined where there is no more. */
  arrived(now: number): number | undefined {
    return this.transfers.leastKey <= now ? this.transfers.pop() : undefined;
  }

  /** What has been prefilled goes on its way. */
  finish(now: number): void {
    const { input, firstToken } = this.requests;
    for (const [g, batch] of this.batches.entries()) {
      if (batch === undefined || this.ends[g] > now) continue;
      for (const id of batch) {
        firstToken[id] = now + input[id] / this.pool.bandwidth;
        this.transfers.push(firstToken[id], id);
      }
      this.batches[g] = undefined;
      this.ends[g] = Number.POSITIVE_INFINITY;
    }
  }

  /** Those that wait begin where a worker is free. @returns how many did. */
  begin(now: number): number {
    this.wakes = Number.POSITIVE_INFINITY;
    if (this.queued === 0) return 0;
    if (this.rounds && !Number.isInteger(now)) {
      this.wakes = Math.ceil(now);
      return 0;
    }
    const before = this.queued;
    for (const [g, spec] of this.pool.pool.entries()) {
      if (this.batches[g] !== undefined) continue;
      const batch = this.take(spec);
      if (batch.length === 0) continue;
      for (const id of batch) {
        this.requests.start[id] = now;
        this.requests.worker[id] = this.firstIndex + g; // until it is sent to another
      }
      this.batches[g] = batch;
      this.ends[g] = now + this.secondsOf(spec, batch, now, this.encode[g]);
    }
    if (this.head > this.waiting.length / 2) {
      this.waiting.splice(0, this.head);
      this.head = 0;
    }
    return before - this.queued;
  }

  private take({ slots, kvTokens }: WorkerSpec): number[] {
    const batch: number[] = [];
    let free = kvTokens;
    while (this.queued > 0 && batch.length < slots) {
      const id = this.waiting[this.head];
      if (this.requests.input[id] > free) break;
      free -= this.requests.input[id];
      batch.push(id);
      this.head++;
    }
    return batch;
  }

  private secondsOf(
    { stepTime }: WorkerSpec,
    batch: readonly number[],
    now: number,
    encode: Encode | undefined,
  ): number {
    if (this.rounds) return 1;
    const work = { running: batch.length, held: 0, prefill: 0, context: 0, encoding: 0 };
    for (const id of batch) {
      const tokens = this.requests.input[id];
      work.held += tokens;
      work.prefill += tokens;
      work.context += chunkContext(0, tokens);
      if (encode) work.encoding += encode(id, now);
    }
    return stepSeconds(stepTime!, work);
  }
}
