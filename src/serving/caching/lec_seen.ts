import type { Key } from "./cache_policy.ts";
import { Places } from "./places.ts";

/** More would be forgotten than is of use, and memory has an end. */
const MOST = 2 ** 23;
const STEPS = 8;

/**
 * The keys that have been asked for, each by a number. Where `most` are known a newcomer takes the number of one that is not cached and has not
 * been asked for since a hand last passed it (the algorithm CLOCK); where the hand finds none in a few steps one more becomes known.
 */
export class SeenKeys {
  private readonly places = new Places();
  /** By number: asked for since the hand passed it. */
  private readonly recent: boolean[] = [];
  private readonly cached: boolean[] = [];
  private hand = 0;

  constructor(private readonly most = MOST) {}

  /** -1 where it is not known. */
  of(key: Key): number {
    return this.places.of(key);
  }

  /** How many are known: who is forgotten makes way for the next. */
  get length(): number {
    return this.places.length;
  }

  /** A key that is not known. */
  add(key: Key): number {
    if (this.length >= this.most) this.forgetOne();
    const i = this.places.add(key);
    this.cached[i] = false;
    return i;
  }

  ask(i: number): void {
    this.recent[i] = true;
  }

  keep(i: number, cached: boolean): void {
    this.cached[i] = cached;
  }

  private forgetOne(): void {
    for (let passed = 0; passed < STEPS; passed++) {
      const i = this.hand;
      this.hand = (i + 1) % this.length;
      if (this.cached[i]) continue;
      if (!this.recent[i]) {
        this.places.remove(i);
        return;
      }
      this.recent[i] = false;
    }
  }
}
