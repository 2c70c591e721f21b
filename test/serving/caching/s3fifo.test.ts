import { expect, test } from "vitest";
import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { foundBy } from "./found.ts";
import { randomTrace, treeTrace } from "./traces.ts";

/** Algorithm 1 of the paper, for objects of size 1, by arrays whose last is the tail. */
class Paper {
  private readonly small: number[] = [];
  private readonly main: number[] = [];
  private readonly ghosts: number[] = [];
  private readonly freq = new Map<number, number>();

  constructor(private readonly capacity: number) {}

  read(x: number): boolean {
    if (this.small.includes(x) || this.main.includes(x)) {
      this.freq.set(x, Math.min(this.freq.get(x)! + 1, 3));
      return true;
    }
    const ghost = this.ghosts.indexOf(x);
    if (ghost >= 0) this.ghosts.splice(ghost, 1);
    while (this.small.length + this.main.length >= this.capacity) this.evict();
    (ghost >= 0 ? this.main : this.small).unshift(x);
    this.freq.set(x, 0);
    return false;
  }

  private evict(): void {
    if (this.main.length === 0 || (this.small.length > 0 && this.small.length >= 0.1 * this.capacity))
      this.evictSmall();
    else this.evictMain();
  }

  private evictSmall(): void {
    const t = this.small.pop()!;
    if (this.freq.get(t)! > 1) {
      this.freq.set(t, 0); // "its access bits are cleared during the move"
      this.main.unshift(t);
    } else {
      this.ghosts.unshift(t);
      if (this.ghosts.length > 0.9 * this.capacity) this.ghosts.pop();
    }
  }

  private evictMain(): void {
    const t = this.main.pop()!;
    if (this.freq.get(t)! === 0) return;
    this.freq.set(t, this.freq.get(t)! - 1);
    this.main.unshift(t);
  }
}

function paperHits({ key }: CacheTrace, capacity: number): boolean[] {
  const paper = new Paper(capacity);
  return Array.from(key, (x) => paper.read(x));
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])("finds what the paper's algorithm finds, seed %i", (seed) => {
  const trace = randomTrace(seed, { requests: 4000, keys: 120, sizes: 1, costs: 1 });
  for (const capacity of [1, 2, 9, 10, 40]) {
    expect(foundBy(trace, capacity, caching.s3fifo()), `capacity ${capacity}`).toEqual(paperHits(trace, capacity));
  }
});

test("remembers keys of no more than the main line may hold, whatever their sizes", () => {
  const decisions = caching.s3fifo().create({ capacity: 10, seed: 0 });
  // Nothing is used twice: all goes through the small line. Of the two that went last, only one fits into 9.
  for (const [key, size] of [
    [1, 10],
    [2, 5],
    [3, 5],
  ] as const) {
    const there = key === 1 ? [] : key === 2 ? [1] : [];
    expect(decisions.admit(key, size, 1, 0)).toBe(true);
    for (const gone of there) {
      expect(decisions.victim()).toBe(gone);
      decisions.removed(gone);
    }
  }
  // 1 was too large to be remembered, so it comes to the small line again, behind 2 and 3.
  decisions.admit(1, 5, 1, 0);
  expect(decisions.victim()).toBe(2);
});

test.each([1, 2, 3])("lets leaves go before their parents, seed %i", (seed) => {
  const trace = treeTrace(seed, { requests: 2000, nodes: 60 });
  const there = foundBy(trace, 15, caching.s3fifo());
  // simulateCache refuses a parent as a victim by itself; a child is found where its parent is.
  const last = new Map<number, boolean>();
  there.forEach((hit, i) => {
    const parent = trace.parent![i];
    if (parent >= 0 && hit) expect(last.get(parent)).toBe(true);
    last.set(trace.key[i], hit);
  });
  expect(there.filter(Boolean).length).toBeGreaterThan(300);
});
