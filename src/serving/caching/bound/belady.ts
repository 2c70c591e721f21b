import { MinHeap } from "../../min_heap.ts";
import { firstAbove } from "../../trace/first_above.ts";
import type { GapPrices } from "./gap_prices.ts";
import type { Reuses } from "./reuses.ts";

/**
 * Of equal sizes and equal costs, the most reuses that a room for `room` of them can keep, and prices that prove it: Belady's rule, that what is used
 * again the latest is not kept, and the least of the dual, whose prices are 0 or the cost of one,
 *
 *   min over sets T of gaps of   room |T| + how many reuses span no gap of T
 *
 * as the constraints are those of intervals. O(m log m). That the two are equal is for the caller to see.
 *
 * @param price  of a unit of room in the gaps of T.
 * @see L. Belady, IBM Systems Journal 5(2), 1966; U. Faigle, W. Nawijn, Discrete Applied Mathematics 58(1), 1995.
 */
export function belady(reuses: Reuses, requests: number, room: number, price: number): GapPrices {
  const prices = new Float64Array(requests);
  for (const t of fullGaps(reuses, room)) prices[t] = price;
  return { prices, kept: keptLongest(reuses, requests, room) };
}

/** Whenever one too many is kept, the one that ends last goes. */
function keptLongest({ first, last }: Reuses, requests: number, room: number): Uint8Array {
  const kept = new Uint8Array(first.length).fill(1);
  const startsAt = new Int32Array(requests).fill(-1); // an object is asked for once by a request, and so is its reuse begun
  for (let j = 0; j < first.length; j++) startsAt[first[j]] = j;
  const latest = new MinHeap(); // those that have ended are never its least
  let now = 0;
  for (let t = 0, ends = 0; t < requests; t++) {
    if (ends < last.length && last[ends] === t && kept[ends++] === 1) now--;
    const j = startsAt[t];
    if (j < 0) continue;
    latest.push(-last[j], j);
    if (++now <= room) continue;
    kept[latest.pop()] = 0;
    now--;
  }
  return kept;
}

/**
 * The set T, ascending. Some best T has gaps just before the end of a reuse alone; f(i), the least with the i-th of these as the last of T, of all that ends by
 * then, is
 *
 *   f(i) = room + min over h < i of (f(h) + how many reuses lie between h and i)
 *
 * A reuse adds 1 to all h before it once it has ended. So of two that are equal the later one is never worse again: those that may still be the best
 * have rising values, and an end of one at a time is all that changes.
 */
function fullGaps({ first, last }: Reuses, room: number): Int32Array {
  const m = first.length;
  const rising = new Rising(m + 1);
  rising.append(0); // no gap yet
  const best = new Int32Array(m + 1);
  for (let j = 0; j < m; j++) {
    best[j + 1] = rising.first;
    rising.append(room + rising.least);
    rising.raiseUpTo(firstAbove(last, first[j])); // the gaps of T, from 1 on, that end before it begins
  }
  const found: number[] = [];
  for (let i = rising.first; i > 0; i = best[i]) found.push(last[i - 1] - 1);
  return Int32Array.from(found).reverse();
}

/** Numbers 0, 1, ... with values, of which those are kept that have less than all behind them. */
class Rising {
  first = 0;
  least = 0;
  private last = -1;
  private most = 0;
  private count = 0;
  private readonly before: Int32Array;
  private readonly behind: Int32Array;
  /** Value of the next that is kept, less its own. */
  private readonly step: Float64Array;
  /** Of one that is not kept: one before it; itself of one that is, and -1 where none before it is. */
  private readonly leader: Int32Array;

  constructor(most: number) {
    this.before = new Int32Array(most);
    this.behind = new Int32Array(most);
    this.step = new Float64Array(most);
    this.leader = new Int32Array(most);
  }

  append(value: number): void {
    while (this.last >= 0 && this.most >= value) {
      const before = this.before[this.last];
      if (before >= 0) this.most -= this.step[before];
      this.drop(this.last);
    }
    const i = this.count++;
    this.leader[i] = i;
    this.before[i] = this.last;
    this.behind[i] = -1;
    if (this.last < 0) {
      this.first = i;
      this.least = value;
    } else {
      this.behind[this.last] = i;
      this.step[this.last] = value - this.most;
    }
    this.last = i;
    this.most = value;
  }

  /** Adds 1 to the values of 0 to i. */
  raiseUpTo(i: number): void {
    const at = this.keptBy(i);
    if (at < 0) return;
    this.least++;
    if (at === this.last) this.most++;
    else if (--this.step[at] === 0) this.drop(at);
  }

  private drop(i: number): void {
    const before = this.before[i];
    const behind = this.behind[i];
    if (before >= 0) this.behind[before] = behind;
    else this.first = behind;
    if (behind >= 0) this.before[behind] = before;
    else this.last = before;
    this.leader[i] = before;
  }

  /** The last that is kept of 0 to i, -1 where none is. */
  private keptBy(i: number): number {
    let at = i;
    while (at >= 0 && this.leader[at] !== at) at = this.leader[at];
    for (let k = i; k >= 0 && this.leader[k] !== k && k !== at; ) {
      const next = this.leader[k];
      this.leader[k] = at;
      k = next;
    }
    return at;
  }
}
