import type { Order } from "./order.ts";

/** What a place counts for when it enters, and after each hit. */
export interface Ranks {
  entered(place: number, size: number, cost: number): number;
  hit(place: number): number;
  gone?(place: number, evicted: boolean, rank: number): void;
  /** What it counts for now, of ranks that change by themselves. */
  now?(place: number): number;
}

/** The least rank goes first, of equals the one that has had it the longest: a binary heap that knows where each place stands. */
export class Ranked implements Order {
  private readonly heap: number[] = [];
  /** By place: where it stands in the heap, its rank, and when it came to it. */
  private readonly at: number[] = [];
  private readonly rank: number[] = [];
  private readonly since: number[] = [];
  private changes = 0;

  constructor(private readonly ranks: Ranks) {}

  rankOf(place: number): number {
    return this.rank[place];
  }

  enter(place: number, size: number, cost: number): void {
    this.rank[place] = this.ranks.entered(place, size, cost);
    this.since[place] = this.changes++;
    this.putBack(place);
  }

  hit(place: number): void {
    this.rank[place] = this.ranks.hit(place);
    this.since[place] = this.changes++;
    this.settle(this.at[place]);
  }

  first(): number {
    return this.heap.length === 0 ? -1 : this.heap[0];
  }

  take(place: number): void {
    const at = this.at[place];
    const last = this.heap.pop()!;
    if (last === place) return;
    this.put(last, at);
    this.settle(at);
  }

  putBack(place: number): void {
    if (this.ranks.now) this.rank[place] = this.ranks.now(place);
    this.heap.push(place);
    this.up(this.heap.length - 1);
  }

  gone(place: number, evicted: boolean): void {
    this.ranks.gone?.(place, evicted, this.rank[place]);
  }

  /** All ranks have changed. */
  rankAnew(): void {
    for (const place of this.heap) this.rank[place] = this.ranks.now!(place);
    for (let at = (this.heap.length >> 1) - 1; at >= 0; at--) this.down(at);
  }

  private goesBefore(a: number, b: number): boolean {
    return this.rank[a] < this.rank[b] || (this.rank[a] === this.rank[b] && this.since[a] < this.since[b]);
  }

  private put(place: number, at: number): void {
    this.heap[at] = place;
    this.at[place] = at;
  }

  private settle(at: number): void {
    this.down(this.up(at));
  }

  private up(at: number): number {
    const place = this.heap[at];
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.goesBefore(place, this.heap[above])) break;
      this.put(this.heap[above], at);
      at = above;
    }
    this.put(place, at);
    return at;
  }

  private down(at: number): void {
    const { heap } = this;
    const place = heap[at];
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.goesBefore(heap[below + 1], heap[below])) below++;
      if (!this.goesBefore(heap[below], place)) break;
      this.put(heap[below], at);
      at = below;
    }
    this.put(place, at);
  }
}
