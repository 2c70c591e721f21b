import type { Key } from "./cache_policy.ts";
import { IntegerTable } from "./integer_table.ts";

/** Keys, each at a place of its own, an integer from 0 on: what is known of a key stands in arrays at its place. Places are used again. */
export class Places {
  private readonly integers = new IntegerTable();
  private readonly others = new Map<Key, number>();
  private readonly keys: Key[] = [];
  private readonly free: number[] = [];

  /** Places that are used or have been. */
  get length(): number {
    return this.keys.length;
  }

  /** -1 where it has none. */
  of(key: Key): number {
    return isInteger(key) ? this.integers.get(key) : (this.others.get(key) ?? -1);
  }

  keyAt(place: number): Key {
    return this.keys[place];
  }

  /** For a key that has none. */
  add(key: Key): number {
    const place = this.free.pop() ?? this.keys.length;
    this.keys[place] = key;
    if (isInteger(key)) this.integers.add(key, place);
    else this.others.set(key, place);
    return place;
  }

  remove(place: number): void {
    const key = this.keys[place];
    if (isInteger(key)) this.integers.delete(key);
    else this.others.delete(key);
    this.free.push(place);
  }
}

/** Of 32 bits; -0 is 0, as in a Map. */
const isInteger = (key: Key): key is number => typeof key === "number" && (key | 0) === key;
