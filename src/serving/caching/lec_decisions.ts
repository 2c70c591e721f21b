import type { Key, Model } from "./cache_policy.ts";
import type { Worth } from "./lec_worth.ts";
import { Ordered } from "./ordered.ts";
import { Places } from "./places.ts";
import { Ranked } from "./ranked.ts";

/** Keeps what is worth the most; a newcomer must be worth more than each that would make room for it. */
export class Lec extends Ordered {
  private readonly ranked: Ranked;
  /** By place: the key's number. */
  private readonly numbers: number[];
  private used = 0;
  private cached = 0;

  constructor(
    private readonly worth: Worth,
    private readonly capacity: number,
  ) {
    const numbers: number[] = [];
    const sizes: number[] = [];
    const rank = (place: number) => worth.of(numbers[place], sizes[place]);
    const ranked = new Ranked({
      entered(place, size) {
        sizes[place] = size;
        return rank(place);
      },
      hit: rank,
      now: rank,
    });
    super(ranked, new Places());
    worth.changed = () => ranked.rankAnew();
    this.ranked = ranked;
    this.numbers = numbers;
  }

  override hit(key: Key, now: number): void {
    this.settle();
    this.worth.ask(key, this.cached);
    super.hit(key, now);
  }

  override admit(key: Key, size: number, cost: number, now: number, parent?: Key, model?: Model): boolean {
    this.settle();
    const i = this.worth.ask(key, this.cached);
    this.worth.observe(i, cost, model);
    if (!super.admit(key, size, cost, now, parent)) return false;
    this.numbers[this.places.of(key)] = i;
    this.worth.keep(i, true);
    this.used += size;
    this.cached++;
    if (this.makesRoomFor(this.worth.of(i, size))) return true;
    this.removed(key);
    this.settle();
    return false;
  }

  override removed(key: Key): void {
    const place = this.places.of(key);
    super.removed(key);
    this.used -= this.sizeAt(place);
    this.cached--;
    this.worth.keep(this.numbers[place], false);
  }

  /** Names the victims, if each is worth less. */
  private makesRoomFor(worth: number): boolean {
    let over = this.used - this.capacity;
    while (over > 0) {
      const place = this.name();
      if (place < 0 || this.ranked.rankOf(place) >= worth) return false;
      over -= this.sizeAt(place);
    }
    return true;
  }
}

/** The same, and sends misses to the model that is expected to cost less. */
export class SelectingLec extends Lec {
  constructor(
    private readonly both: Worth,
    capacity: number,
  ) {
    super(both, capacity);
  }

  choose(key: Key): Model {
    return this.both.cheaper(key);
  }
}
