/** What workers keep of prefixes: policies by hand and in plain form, held to their contract, and on recorded conversations. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";
import type { CachePolicy, Key } from "../../../src/serving/caching/cache_policy.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { PrefixCache } from "../../../src/serving/simulator/prefix_cache.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { inTurn } from "./policies.ts";
import { traceOf, worker } from "./traces.ts";

const BLOCK = 10;
const policies: [string, CachePolicy][] = Object.entries(caching).map(([name, make]) => [name, make()]);
policies.push(["lec with confidence", caching.lec({ costs: [0, 10], confidence: { requests: 1e4, keys: 50 } })]);

/** Of one block each, one after the other. */
const single = (...ids: number[]): Trace => ({
  ...traceOf(
    ids.map((_, i) => 5 * i),
    ids.map(() => BLOCK),
    ids.map(() => 1),
  ),
  blocks: { start: Int32Array.from([...ids, 0], (_, i) => i), id: Int32Array.from(ids), tokens: BLOCK },
});

/** The leaf that was used longest ago, but not the newest: looked for in a list. */
const plainLru: CachePolicy = {
  name: "plain",
  create() {
    const kept: { key: Key; parent: Key | undefined }[] = [];
    let newest: Key | undefined;
    const placeOf = (key: Key) => kept.findIndex((one) => one.key === key);
    return {
      hit(key) {
        newest = undefined;
        kept.push(...kept.splice(placeOf(key), 1));
      },
      admit(key, _size, _cost, _now, parent) {
        newest = key;
        kept.push({ key, parent });
        return true;
      },
      victim: () => kept.find(({ key }) => key !== newest && !kept.some(({ parent }) => parent === key))?.key,
      removed: (key) => void kept.splice(placeOf(key), 1),
    };
  },
};

/** Keeps nothing of what its rule refuses; of the rest the leaf that came last goes first, but not the newest. */
const lastFirst = (refuses: (key: Key) => boolean): CachePolicy => ({
  name: "last first",
  create() {
    const kept: { key: Key; parent: Key | undefined }[] = [];
    let newest: Key | undefined;
    return {
      hit: () => (newest = undefined),
      admit(key, _size, _cost, _now, parent) {
        if (refuses(key)) return false;
        newest = key;
        kept.push({ key, parent });
        return true;
      },
      victim: () => kept.findLast(({ key }) => key !== newest && !kept.some(({ parent }) => parent === key))?.key,
      removed: (key) =>
        void kept.splice(
          kept.findIndex((one) => one.key === key),
          1,
        ),
    };
  },
});

/** The same policy, its contract checked at every call. @param kept  filled with what it keeps. */
function watched(policy: CachePolicy, kept: Map<Key, Key | undefined>): CachePolicy {
  return {
    name: policy.name,
    create(o) {
      expect(o).toEqual({ capacity: 1000, seed: 7 });
      const inner = policy.create(o);
      let last = 0;
      const at = (now: number) => {
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      };
      return {
        hit(key, now) {
          at(now);
          expect(kept.has(key)).toBe(true);
          inner.hit(key, now);
        },
        admit(key, size, cost, now, parent) {
          at(now);
          expect([kept.has(key), parent === undefined || kept.has(parent), size, cost > 0]).toEqual([
            false,
            true,
            BLOCK,
            true,
          ]);
          const admitted = inner.admit(key, size, cost, now, parent);
          if (admitted) kept.set(key, parent);
          return admitted;
        },
        victim() {
          const key = inner.victim();
          if (key !== undefined) expect([kept.has(key), [...kept.values()].includes(key)]).toEqual([true, false]);
          return key;
        },
        removed(key) {
          expect(kept.delete(key)).toBe(true);
          inner.removed(key);
        },
      };
    },
  };
}

/** Prompts of a tree: each block's id stands for all up to it. */
function prompts(seed: number, count: number): Int32Array[] {
  const random = seeded(seed);
  const ids = new Map<string, number>();
  return Array.from({ length: count }, () => {
    let path = "";
    return Int32Array.from({ length: 1 + random.below(6) }, () => {
      path += `/${Math.floor(3 * random.next() ** 2)}`;
      if (!ids.has(path)) ids.set(path, ids.size);
      return ids.get(path)!;
    });
  });
}

describe.each([
  ...policies,
  ["plain", plainLru] as const,
  ["last first", lastFirst(() => false)] as const,
  ["refusing some", lastFirst((key) => (key as number) % 3 === 0)] as const,
  ["refusing all", lastFirst(() => true)] as const,
])("%s", (_, policy) => {
  test("never lets go what somebody uses, keeps no more than there is room for, and is asked as agreed", () => {
    const random = seeded(3);
    const kept = new Map<Key, Key | undefined>();
    const stepTime = worker(1, 1, { perPrefillToken: 1, perContext: 0.01 }).stepTime;
    const cache = new PrefixCache({
      policy: watched(policy, kept),
      blockTokens: BLOCK,
      kvTokens: 1000,
      stepTime,
      seed: 7,
    });
    const running: Int32Array[] = [];
    const used = () => new Set(running.flatMap((blocks) => [...blocks]));
    const heldBy = (blocks: Int32Array, inUse: Set<number>) => {
      const missing = blocks.findIndex((block) => !kept.has(block) && !inUse.has(block));
      return BLOCK * (missing < 0 ? blocks.length : missing);
    };
    let dropped = 0;
    for (const [i, blocks] of prompts(5, 1500).entries()) {
      const inUse = used();
      expect(cache.held(blocks)).toBe(heldBy(blocks, inUse));
      cache.use(blocks);
      running.push(blocks);
      while (running.length > 0 && random.next() < 0.5) {
        const [gone] = running.splice(random.below(running.length), 1);
        cache.release(gone, BLOCK * gone.length - random.below(BLOCK), i);
      }
      const free = random.below(20 * BLOCK) - 30;
      const before = kept.size;
      cache.trim(free);
      dropped += before - kept.size;
      const unused = [...kept.keys()].filter((key) => !used().has(key as number));
      expect(unused.length).toBeLessThanOrEqual(Math.max(0, Math.floor(free / BLOCK)));
      for (const own of running) expect(cache.held(own)).toBe(BLOCK * own.length);
    }
    if (!policy.name.includes("last")) expect(dropped).toBeGreaterThan(500);
  });
});

/** Conversations on workers that are too small for them, in seconds and in rounds. */
function crowded(seed: number): Trace {
  const random = seeded(seed);
  const all = prompts(seed, 300);
  const id = Int32Array.from(all.flatMap((blocks) => [...blocks]));
  const start = Int32Array.of(0, ...all.map((_, i) => all.slice(0, i + 1).flatMap((blocks) => [...blocks]).length));
  const trace = traceOf(
    all.map(() => 400 * random.next()).sort((a, b) => a - b),
    all.map((blocks) => BLOCK * blocks.length - random.below(BLOCK)),
    all.map(() => 1 + random.below(30)),
  );
  return { ...trace, blocks: { start, id, tokens: BLOCK } };
}
const workers = [1, 2].map(() => worker(4, 200, { base: 0.5, perPrefillToken: 0.01, perContext: 1e-4 }));

describe.each(["seconds", "rounds"] as const)("a simulation in %s", (clock) => {
  const options = { workers, clock, routing: inTurn };

  test("by a plain policy of one's own that is LRU's rule gives LRU's figures, all of them; and LRU is the default", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const trace = crowded(seed);
      const lru = await simulate(trace, { ...options, caching: caching.lru() });
      expect(await simulate(trace, { ...options, caching: plainLru })).toEqual(lru);
      expect(await simulate(trace, options)).toEqual(lru);
      expect(lru.summary.evictions).toBeGreaterThan(0);
    }
  });

  test.each(policies)("by %s serves everybody; with room for all, as any other", async (_, policy) => {
    const trace = crowded(11);
    const { summary } = await simulate(trace, { ...options, caching: policy });
    expect(summary.completed).toBe(trace.requests);
    expect(summary.prefixHit).toBeGreaterThan(0.1);
    const large = { ...options, workers: workers.map((one) => ({ ...one, kvTokens: 1e6 })) };
    const room = await simulate(trace, { ...large, caching: policy });
    expect(room).toEqual(await simulate(trace, large));
    expect(room.summary.prefixHit).toBeGreaterThan(summary.prefixHit!);
  });
});

describe("two blocks fit beside the prompt that runs", () => {
  // Of each prompt's 10 tokens the last is computed in any case.
  const hits = async (policy: CachePolicy, ...ids: number[]) => {
    const options: SimulateOptions = {
      workers: [{ slots: 1, kvTokens: 40 }],
      clock: "rounds",
      routing: inTurn,
      caching: policy,
    };
    return Math.round((await simulate(single(...ids), options)).summary.prefixHit! * BLOCK * ids.length) / (BLOCK - 1);
  };
  test.each<[string, CachePolicy, number]>([
    ["lru", caching.lru(), 1],
    ["lfu", caching.lfu(), 2],
    ["fifo", caching.fifo(), 1],
    ["what refuses all", lastFirst(() => true), 0],
    ["what refuses 1", lastFirst((key) => key === 1), 2],
    ["what lets the last go first", lastFirst(() => false), 2],
  ])("%s", async (_, policy, expected) => {
    expect(await hits(policy, 0, 0, 1, 2, 3, 0)).toBe(expected);
  });
});

test.each<[string, object, string]>([
  ["no policy", { caching: caching.lru }, "caching: expected a policy, { name, create }, got a function. Call it"],
  ["no decisions", { caching: { name: "none", create: () => ({}) } }, "caching.create(): expected an object with hit"],
  ...[7, "0", 0.5, -1].map((key): [string, object, string] => [
    `${key} as a victim`,
    { caching: { name: "odd", create: () => ({ hit() {}, admit: () => true, victim: () => key, removed() {} }) } },
    "policy odd: victim(): expected a block that is kept, as there are some, got",
  ]),
])("%s", async (_, changes, message) => {
  const options: SimulateOptions = { workers: [{ slots: 1, kvTokens: 20 }], clock: "rounds", routing: inTurn };
  const simulating = simulate(single(0, 1, 2, 3), { ...options, ...changes });
  await expect(simulating).rejects.toThrow(ArgumentError);
  await expect(simulating).rejects.toThrow(message);
});

test.runIf(recordedDataPresent)(`Mooncake's conversations by every policy ${needsRecordedData}`, async () => {
  const trace = await readTrace(recordedBytes("requests/mooncake_fast25_conversation.jsonl.gz"));
  const stepTime = { base: 8e-3, perSequence: 5e-5, perKvToken: 2e-8, perPrefillToken: 2e-5, perContext: 5e-10 };
  const rows: string[] = [];
  for (const kvTokens of [1e6, 4e6]) {
    const fleet = Array.from({ length: 4 }, () => ({ slots: 64, kvTokens, stepTime }));
    const options = { workers: fleet, clock: "seconds", routing: routing.cacheAware(), tooLarge: "reject" } as const;
    for (const [name, policy] of policies.slice(0, 6)) {
      const { summary } = await simulate(trace, { ...options, caching: policy });
      expect(summary.completed + summary.rejected).toBe(trace.requests);
      const { prefixHit, ttft } = summary;
      // Without forgetting 105,710 of the 288,500 blocks would be found.
      expect(prefixHit).toBeLessThan((288_500 - 182_790) / 288_500);
      expect(prefixHit).toBeGreaterThan(0.05);
      rows.push(
        `${kvTokens / 1e6} M KV tokens, ${name}: ${(100 * prefixHit!).toFixed(2)} % hits, TTFT ${ttft.mean.toFixed(3)} s`,
      );
    }
  }
  console.log(rows.join("\n"));
});
