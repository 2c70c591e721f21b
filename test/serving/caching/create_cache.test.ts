import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { CacheDecisions, CachePolicy, Key } from "../../../src/serving/caching/cache_policy.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { createCache } from "../../../src/serving/caching/create_cache.ts";

const policies = Object.entries(caching).map(([name, make]) => [name, make as () => CachePolicy] as const);

describe.each(policies)("%s", (_, make) => {
  test("gives what was set, and never holds more than fits", () => {
    const random = seeded(5);
    const held = new Map<Key, { value: number; size: number }>();
    let evicted = 0;
    const onEvict = (key: Key, value: number) => {
      expect(held.get(key)?.value).toBe(value);
      held.delete(key);
      evicted++;
    };
    const cache = createCache({ capacity: 100, policy: make(), onEvict });
    for (let i = 0; i < 30_000; i++) {
      const key = random.below(2) ? random.below(300) : `k${random.below(300)}`;
      const kind = random.below(20);
      if (kind === 0) expect(cache.delete(key)).toBe(held.delete(key));
      else if (kind < 10) expect(cache.get(key)).toBe(held.get(key)?.value);
      else {
        held.delete(key);
        const size = random.next() < 0.01 ? 150 : random.next() * 7;
        if (cache.set(key, i, { size, cost: random.below(100) })) held.set(key, { value: i, size });
      }
      expect(cache.size).toBeLessThanOrEqual(100);
    }
    expect(evicted).toBeGreaterThan(1000);
    let sum = 0;
    for (const [key, { value, size }] of held) {
      expect(cache.get(key)).toBe(value);
      sum += size;
    }
    expect(cache.size).toBeCloseTo(sum, 10);
    for (const key of held.keys()) cache.delete(key);
    expect(cache.size).toBe(0); // sizes were fractions: nothing of them is left by rounding
  });

  test("children keep their parents", () => {
    const cache = createCache<string>({ capacity: 3, policy: make() });
    expect(cache.set("child", "?", { parent: "root" })).toBe(false);
    expect(cache.set("root", "a")).toBe(true);
    expect(cache.set("child", "b", { parent: "root" })).toBe(true);
    expect(cache.set("grandchild", "c", { parent: "child" })).toBe(true);
    expect(() => cache.delete("root")).toThrow('key: expected one that is not the parent of another, got "root".');
    // Nothing may go for one that hangs on all the rest.
    expect(cache.set("more", "d", { parent: "grandchild" })).toBe(false);
    expect(cache.size).toBe(3);
    expect(cache.set("root", "A")).toBe(true);
    expect(() => cache.set("root", "A", { size: 2 })).toThrow("key: expected size and parent as before");
    for (let i = 0; i < 9; i++) cache.set("other", "e");
    expect(cache.get("root")).toBe("A");
    expect(cache.get("child")).toBe("b");
    cache.delete("grandchild");
    cache.delete("child");
    expect(cache.delete("root")).toBe(true);
  });
});

test("an object may be set as undefined, and replaced by another size", () => {
  const cache = createCache<number | undefined>({ capacity: 4, policy: caching.lru() });
  cache.set("a", undefined);
  expect(cache.set("a", 1, { size: 5 })).toBe(false); // the old one is gone with it: it is out of date
  expect(cache.get("a")).toBe(undefined);
  expect(cache.size).toBe(0);
});

test("a callback may use the cache", () => {
  const gone: Key[] = [];
  const cache = createCache<number>({
    capacity: 2,
    policy: caching.lru(),
    onEvict: (key, value) => {
      gone.push(key);
      expect(cache.get(key)).toBe(undefined);
      if (value < 3) cache.set(`old ${key}`, value + 3);
    },
  });
  for (const i of [1, 2, 3]) cache.set(i, i);
  expect(cache.size).toBe(2);
  expect(gone).toEqual([1, 2, 3]); // 3 makes way for what took the place of 2
});

test("what is set again is used", () => {
  const lfu = createCache<string>({ capacity: 2, policy: caching.lfu() });
  lfu.set("hot", "1");
  for (let i = 0; i < 5; i++) lfu.get("hot");
  lfu.set("warm", "2");
  lfu.get("warm");
  lfu.set("hot", "3");
  lfu.set("new", "4");
  expect([lfu.get("hot"), lfu.get("warm")]).toEqual(["3", undefined]);
});

test("a callback that throws does not keep it from being told of the others", () => {
  const told: Key[] = [];
  const onEvict = (key: Key) => {
    told.push(key);
    throw new Error(`of ${key}`);
  };
  const cache = createCache<number>({ capacity: 3, policy: caching.lru(), onEvict });
  for (const key of ["a", "b", "c"]) cache.set(key, 1);
  expect(() => cache.set("d", 1, { size: 3 })).toThrow("of a");
  expect(told).toEqual(["a", "b", "c"]);
  expect([cache.size, cache.get("d")]).toEqual([3, 1]);
});

test("a policy of one's own may say that what it has admitted goes", () => {
  const lifo: CachePolicy = {
    name: "last in, first out",
    create() {
      const there: Key[] = [];
      return {
        hit() {},
        admit: (key) => there.push(key) > 0,
        victim: () => there[there.length - 1],
        removed: (key) => void there.splice(there.indexOf(key), 1),
      };
    },
  };
  const cache = createCache<number>({ capacity: 2, policy: lifo });
  expect(["a", "b", "c"].map((key) => cache.set(key, 1))).toEqual([true, true, false]);
});

test.each([undefined, Number.NaN, {}, null])("%o is no key", (key) => {
  const cache = createCache<number>({ capacity: 2, policy: caching.lru() });
  for (const call of [cache.get, cache.delete, cache.choose])
    expect(() => call(key as never)).toThrow("key: expected a string or a number");
});

test("keys are told apart by type, and 0 is -0", () => {
  const cache = createCache<string>({ capacity: 9, policy: caching.s3fifo() });
  for (const key of [1, "1", 1.5, 2 ** 40, -0]) cache.set(key, `${typeof key} ${key}`);
  expect([1, "1", 1.5, 2 ** 40, 0].map((key) => cache.get(key))).toEqual([
    "number 1",
    "string 1",
    "number 1.5",
    "number 1099511627776",
    "number 0",
  ]);
});

describe("errors", () => {
  const good = { capacity: 10, policy: caching.lru() };
  test.each([
    [{ ...good, capacity: 0 }, "capacity: expected a finite number > 0, got 0."],
    [{ ...good, capacity: Number.NaN }, "capacity: expected a finite number > 0, got NaN."],
    [
      { ...good, policy: caching.lru },
      "policy: expected a policy, { name, create }, got a function. Call it: it makes a policy.",
    ],
    [{ ...good, policy: "lru" }, 'policy: expected a policy, { name, create }, got "lru".'],
    [{ ...good, onEvict: 1 }, "onEvict: expected a function, got 1."],
    [{ ...good, sise: 1 }, 'options: expected only capacity, policy, onEvict, got "sise".'],
    [
      { ...good, policy: { name: "x", create: () => ({}) } },
      "policy.create(): expected an object with hit, admit, victim, removed, got an object of Object.",
    ],
  ])("options %#", (options, message) => expect(() => createCache(options as never)).toThrow(message));

  test.each([
    ["k", { size: 0 }, "o.size: expected finite and > 0, got 0."],
    ["k", { size: Number.POSITIVE_INFINITY }, "o.size: expected finite and > 0, got Infinity."],
    ["k", { cost: -1 }, "o.cost: expected finite and >= 0, got -1."],
    ["k", { model: "medium" }, 'o.model: expected "small" or "large", got "medium".'],
    ["k", { parent: {} }, "o.parent: expected a string or a number, got an object of Object."],
    ["k", { weight: 1 }, 'o: expected only size, cost, parent, model, got "weight".'],
    [Number.NaN, {}, "key: expected a string or a number, got NaN."],
    [undefined, {}, "key: expected a string or a number, got undefined."],
  ])("set %#", (key, o, message) => {
    const cache = createCache<number>(good);
    expect(() => cache.set(key as Key, 1, o as never)).toThrow(message);
    expect(cache.size).toBe(0);
  });

  const plain = (changed: Partial<CacheDecisions>): CachePolicy => ({
    name: "mine",
    create: () => ({ hit() {}, admit: () => true, victim: () => undefined, removed() {}, ...changed }),
  });
  test("a policy's own rule", () => {
    const stranger = createCache({ capacity: 1, policy: plain({ victim: () => "x" }) });
    stranger.set("a", 1);
    expect(() => stranger.set("b", 1)).toThrow('policy mine: victim(): expected a key that is kept, got "x".');
    const orphan = createCache({ capacity: 1, policy: plain({}) });
    expect(() => orphan.set("a", 1, { parent: "b" })).toThrow(
      "policy mine: admit(): expected false where the parent is not there, got true.",
    );
    const parent = createCache({ capacity: 2, policy: plain({ victim: () => "a" }) });
    parent.set("a", 1);
    parent.set("b", 1, { parent: "a" });
    expect(() => parent.set("c", 1)).toThrow(
      "policy mine: victim(): expected a key that is no longer the parent of another",
    );
  });
  test("what a policy keeps though it cannot let go is not kept", () => {
    const cache = createCache({ capacity: 1, policy: plain({}) });
    expect(cache.set("a", 1)).toBe(true);
    expect(cache.set("b", 1)).toBe(false);
    expect(cache.get("a")).toBe(1);
  });
});
