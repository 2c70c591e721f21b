import type { Key, Model } from "./cache_policy.ts";
import { ObservedCosts } from "./lec_costs.ts";
import { Popularity } from "./lec_popularity.ts";
import { SeenKeys } from "./lec_seen.ts";

/** What keys are expected to save, by what has been seen of them: each known key has a number. */
export class Worth {
  private readonly seen = new SeenKeys();
  private readonly popularity = new Popularity();
  private readonly large: ObservedCosts;
  private readonly small: ObservedCosts | undefined;

  constructor(least: number, width: number, selection: boolean) {
    this.large = new ObservedCosts(least, width);
    this.small = selection ? new ObservedCosts(least, width) : undefined;
  }

  /** Called where what is known of all keys has changed. */
  changed = () => {};

  /** The key is asked for once more. @param cached  how many keys are there. @returns its number. */
  ask(key: Key, cached: number): number {
    let i = this.seen.of(key);
    if (i < 0) {
      i = this.seen.add(key);
      this.popularity.clear(i);
      this.large.clear(i);
      this.small?.clear(i);
    }
    this.seen.ask(i);
    if (this.popularity.ask(i, this.seen.length, cached)) this.changed();
    return i;
  }

  observe(i: number, cost: number, model: Model | undefined): void {
    const costs = model === "small" && this.small ? this.small : this.large;
    costs.add(i, cost);
  }

  /** A number is the key's as long as it is kept. */
  keep(i: number, kept: boolean): void {
    this.seen.keep(i, kept);
  }

  /** Which model is expected to cost less, of equals the small one. */
  cheaper(key: Key): Model {
    const i = this.seen.of(key);
    return i < 0 || this.small!.expected(i) <= this.large.expected(i) ? "small" : "large";
  }

  /** P c / size, in a unit that is the same for all keys until they change. */
  of(i: number, size: number): number {
    const large = this.large.expected(i);
    return (this.popularity.of(i) * (this.small ? Math.min(large, this.small.expected(i)) : large)) / size;
  }
}
