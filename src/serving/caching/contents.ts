import { ArgumentError } from "../../common/errors.ts";
import { ExactSum } from "../../common/exact_sum.ts";
import {
  type CacheDecisions,
  type CacheDecisionsOptions,
  type CachePolicy,
  decisionsOf,
  type Key,
  type Model,
} from "./cache_policy.ts";
import { Places } from "./places.ts";

/** A miss that is over: what has been asked for is made, and may be kept. */
export interface Made {
  size: number;
  cost: number;
  now: number;
  parent?: Key;
  model?: Model;
}

/**
 * What a cache keeps by a policy, which is asked at every turn, and held to the rules: never more than the capacity, no child without its parent. Keys are
 * looked up once, and then known by their place.
 */
export class Contents<V> {
  private readonly places = new Places();
  private readonly values: (V | undefined)[] = [];
  private readonly sizes: number[] = [];
  /** By place: the parent's, or -1, and how many that are kept have it as theirs. */
  private readonly parents: number[] = [];
  private readonly children: number[] = [];
  private readonly used = new ExactSum();
  private readonly decisions: CacheDecisions;
  private readonly capacity: number;

  constructor(
    private readonly policy: CachePolicy,
    o: CacheDecisionsOptions,
    /** Called when room has been made, and all is in order again. */
    private readonly onEvict?: (key: Key, value: V) => void,
  ) {
    this.capacity = o.capacity;
    this.decisions = decisionsOf(policy, o, "policy.create()");
  }

  /** Of all that is kept. */
  get size(): number {
    return this.used.value;
  }

  /** -1 where it is not kept. */
  placeOf(key: Key): number {
    return this.places.of(key);
  }

  valueAt(place: number): V {
    return this.values[place] as V;
  }

  sizeAt(place: number): number {
    return this.sizes[place];
  }

  /** Undefined where it has none. */
  parentAt(place: number): Key | undefined {
    const above = this.parents[place];
    return above < 0 ? undefined : this.places.keyAt(above);
  }

  isParent(place: number): boolean {
    return this.children[place] > 0;
  }

  replace(place: number, value: V): void {
    this.values[place] = value;
  }

  /** Which model makes what is not there. */
  choose(key: Key): Model {
    return this.decisions.choose?.(key) ?? "large";
  }

  hit(place: number, now: number): void {
    this.decisions.hit(this.places.keyAt(place), now);
  }

  /** Offers what is not there. @returns whether it is kept. */
  offer(key: Key, made: Made, value: V): boolean {
    const { size, cost, now, parent, model } = made;
    if (size > this.capacity || !this.decisions.admit(key, size, cost, now, parent, model)) return false;
    const above = parent === undefined ? -1 : this.places.of(parent);
    if (parent !== undefined && above < 0) this.fail("admit", "false where the parent is not there", true);
    const evicted: [key: Key, value: V][] = [];
    const fits = this.makeRoom(key, size, above, evicted);
    if (fits) {
      if (above >= 0) this.children[above]++;
      const place = this.places.add(key);
      this.used.add(size);
      this.values[place] = value;
      this.sizes[place] = size;
      this.parents[place] = above;
      this.children[place] = 0;
    } else {
      this.decisions.removed(key);
    }
    this.tell(evicted);
    return fits;
  }

  /** What is kept there, and is no parent. */
  remove(place: number): void {
    this.decisions.removed(this.places.keyAt(place));
    this.used.add(-this.sizes[place]);
    const above = this.parents[place];
    if (above >= 0) this.children[above]--;
    this.values[place] = undefined;
    this.places.remove(place);
  }

  /** All are told of, whatever the caller does then. */
  private tell(evicted: readonly [key: Key, value: V][]): void {
    const errors: unknown[] = [];
    for (const [key, value] of evicted) {
      try {
        this.onEvict!(key, value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** For a key whose parent is at `above`, if it has one. */
  private makeRoom(key: Key, size: number, above: number, evicted: [key: Key, value: V][]): boolean {
    while (this.used.plus(size) > this.capacity) {
      const victim = this.decisions.victim();
      if (victim === undefined || victim === key) return false;
      const place = this.places.of(victim);
      if (place < 0) this.fail("victim", "a key that is kept", victim);
      if (place === above || this.children[place] > 0)
        this.fail("victim", "a key that is no longer the parent of another", victim);
      if (this.onEvict) evicted.push([victim, this.values[place] as V]);
      this.remove(place);
    }
    return true;
  }

  private fail(method: string, expected: string, answer: unknown): never {
    throw new ArgumentError(`policy ${this.policy.name}: ${method}()`, expected, answer);
  }
}
