import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import type { CachePolicy, Key } from "./cache_policy.ts";
import { Line } from "./line.ts";
import type { Order } from "./order.ts";
import { Ordered } from "./ordered.ts";
import { Places } from "./places.ts";

/** Share of the capacity from which on the small line gives way instead of the main one. */
const SMALL = 0.1;
/** Uses after the first that are remembered. */
const MOST_USES = 3;

/**
 * S3-FIFO: admits everything, into a small line; what has been used twice more when its turn comes goes on to the main line, and the rest goes,
 * leaving its key behind. What returns while its key is remembered goes to the main line at once. There the first goes, unless it has been used: then it
 * stands last again, with a use less.
 *
 * Sizes count in the lines' shares: the small one gives way from a tenth of the capacity on, and keys of so much are remembered as the main line may
 * hold. After a move to the main line it is looked anew which line gives way, where the paper goes on with the small one. Costs do not count.
 * O(1), amortised.
 *
 * @see J. Yang et al., FIFO Queues Are All You Need for Cache Eviction, SOSP 2023, algorithm 1.
 */
export function s3fifo(options?: NoOptions): CachePolicy {
  requireNoOptions(options);
  return {
    name: "s3fifo",
    create({ capacity }) {
      const places = new Places();
      return new Ordered(new SmallAndMain(places, capacity), places);
    },
  };
}

class SmallAndMain implements Order {
  private readonly small = new Line();
  private readonly main = new Line();
  private readonly inMain: boolean[] = [];
  private readonly uses: number[] = [];
  private readonly sizes: number[] = [];
  private smallSize = 0;
  private readonly ghosts: Ghosts;
  private readonly smallShare: number;

  constructor(
    private readonly places: Places,
    capacity: number,
  ) {
    this.smallShare = SMALL * capacity;
    this.ghosts = new Ghosts(capacity - this.smallShare);
  }

  arrives(place: number): void {
    this.inMain[place] = this.ghosts.delete(this.places.keyAt(place));
  }

  enter(place: number, size: number): void {
    this.uses[place] = 0;
    this.sizes[place] = size;
    if (!this.inMain[place]) this.smallSize += size;
    this.lineOf(place).append(place);
  }

  hit(place: number): void {
    if (this.uses[place] < MOST_USES) this.uses[place]++;
  }

  first(): number {
    for (;;) {
      const fromSmall = this.small.first >= 0 && (this.main.first < 0 || this.smallSize >= this.smallShare);
      const place = fromSmall ? this.small.first : this.main.first;
      if (place < 0) return -1;
      if (this.uses[place] <= (fromSmall ? 1 : 0)) return place;
      this.take(place);
      this.uses[place] = fromSmall ? 0 : this.uses[place] - 1;
      this.inMain[place] = true;
      this.main.append(place);
    }
  }

  take(place: number): void {
    if (!this.inMain[place]) this.smallSize -= this.sizes[place];
    this.lineOf(place).remove(place);
  }

  putBack(place: number): void {
    if (!this.inMain[place]) this.smallSize += this.sizes[place];
    this.lineOf(place).prepend(place);
  }

  gone(place: number, evicted: boolean): void {
    if (evicted && !this.inMain[place]) this.ghosts.add(this.places.keyAt(place), this.sizes[place]);
  }

  private lineOf(place: number): Line {
    return this.inMain[place] ? this.main : this.small;
  }
}

/** Keys of what has gone, the oldest forgotten. */
class Ghosts {
  private readonly sizes = new Map<Key, number>();
  // Kept, since a new iterator would pass again over all that has been deleted: it always stands before the oldest.
  private readonly oldest = this.sizes.entries();
  private total = 0;

  constructor(private readonly most: number) {}

  /** @returns whether it was there. */
  delete(key: Key): boolean {
    this.total -= this.sizes.get(key) ?? 0;
    return this.sizes.delete(key);
  }

  add(key: Key, size: number): void {
    this.delete(key);
    this.sizes.set(key, size);
    this.total += size;
    while (this.total > this.most && this.sizes.size > 0) this.delete(this.oldest.next().value![0]);
  }
}
