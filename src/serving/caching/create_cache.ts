import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { requirePolicy } from "../policy_answers.ts";
import { requireRange } from "../policy_options.ts";
import type { CachePolicy, Key, Model } from "./cache_policy.ts";
import { requireCapacity } from "./cache_trace.ts";
import { Contents } from "./contents.ts";

export interface CacheOptions<V> {
  /** Of all sizes together; finite and > 0. */
  capacity: number;
  policy: CachePolicy;
  /** Told of what is let go to make room, when it is no longer there; not of what the caller replaces or deletes. */
  onEvict?: (key: Key, value: V) => void;
}

export interface SetOptions {
  /** Finite and > 0; 1 by default. */
  size?: number;
  /** What it has cost to make the value, which is what another miss is expected to cost; finite and >= 0; 1 by default. */
  cost?: number;
  /** A key that must be there while this one is, as the prefix of it. */
  parent?: Key;
  /** The model that made the value: "large" by default. */
  model?: Model;
}

/** A cache that a program works with. */
export interface PolicyCache<V> {
  /** A request: the value, or undefined, and then what is asked for should be made and offered with `set`. */
  get(key: Key): V | undefined;
  /**
   * Offers a value. One that is there for the key already is replaced: with the same size and parent as a use of it, else as another object.
   *
   * @returns whether it is kept: not what is larger than the capacity, what the policy refuses, or what has a parent that is not there.
   */
  set(key: Key, value: V, o?: SetOptions): boolean;
  /** @returns whether it was there.  @throws {ArgumentError} It is the parent of another that is there. */
  delete(key: Key): boolean;
  /** The model that makes the value of a key that is not there, by a policy that chooses; "large" by all others. */
  choose(key: Key): Model;
  /** Of all that is there, in the unit of the sizes: at most the capacity, at any time. */
  readonly size: number;
}

/**
 * A cache that keeps what its policy says: `caching` has them. A request is `get`, and `set` where that finds nothing; what they cost is the policy's, O(1) or O(log n).
 * The policy's clock is the machine's, in s. Not handled: expiry, more than 2^24 keys.
 *
 * @throws {ArgumentError} An option, a size or a cost is missing or out of range; a policy of the caller's own breaks a rule, which is named.
 */
export function createCache<V>(options: CacheOptions<V>): PolicyCache<V> {
  requireObject("options", options, { capacity: true, policy: true, onEvict: true } satisfies FieldsOf<
    CacheOptions<V>
  >);
  const { capacity, policy, onEvict } = options;
  requireCapacity(capacity);
  requirePolicy("policy", policy);
  if (onEvict !== undefined && typeof onEvict !== "function") throw new ArgumentError("onEvict", "a function", onEvict);
  const contents = new Contents(policy, { capacity, seed: 0 }, onEvict);
  return {
    get(key) {
      requireKey("key", key);
      const place = contents.placeOf(key);
      if (place < 0) return undefined;
      contents.hit(place, seconds());
      return contents.valueAt(place);
    },
    set(key, value, o = {}) {
      requireKey("key", key);
      const { size = 1, cost = 1, parent, model } = checked(o);
      const place = contents.placeOf(key);
      if (place >= 0 && size === contents.sizeAt(place) && parent === contents.parentAt(place)) {
        contents.hit(place, seconds());
        contents.replace(place, value);
        return true;
      }
      if (place >= 0 && contents.isParent(place))
        throw new ArgumentError("key", "size and parent as before, since it is the parent of others", key);
      if (place >= 0) contents.remove(place);
      return contents.offer(key, { size, cost, now: seconds(), parent, model }, value);
    },
    delete(key) {
      requireKey("key", key);
      const place = contents.placeOf(key);
      if (place < 0) return false;
      if (contents.isParent(place)) throw new ArgumentError("key", "one that is not the parent of another", key);
      contents.remove(place);
      return true;
    },
    choose(key) {
      requireKey("key", key);
      return contents.choose(key);
    },
    get size() {
      return contents.size;
    },
  };
}

const seconds = () => performance.now() / 1e3;

function requireKey(argument: string, key: Key): void {
  if (typeof key === "string" || (typeof key === "number" && !Number.isNaN(key))) return;
  throw new ArgumentError(argument, "a string or a number", key);
}

const setFields = { size: true, cost: true, parent: true, model: true } satisfies FieldsOf<SetOptions>;

function checked(o: SetOptions): SetOptions {
  requireObject("o", o, setFields);
  const { size, cost, parent, model } = o;
  if (size !== undefined) requireRange("o.size", size, "finite and > 0", (x) => Number.isFinite(x) && x > 0);
  if (cost !== undefined) requireRange("o.cost", cost, "finite and >= 0", (x) => Number.isFinite(x) && x >= 0);
  if (parent !== undefined) requireKey("o.parent", parent);
  if (model !== undefined && model !== "small" && model !== "large")
    throw new ArgumentError("o.model", '"small" or "large"', model);
  return o;
}
