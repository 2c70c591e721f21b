/** The memory of sent blocks, and the two policies that go by it, against sets and stamps without any of its tricks. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import type { Queue, WorkerView } from "../../../src/serving/policy.ts";
import type { CacheAwareOptions } from "../../../src/serving/routing/cache_aware.ts";
import { SentBlocks } from "../../../src/serving/routing/prefixes.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { assigned, randomWorkers, request, worker, workers } from "./views.ts";

/** Prompts as conversations make them: each block's id stands for all up to it. */
function prompts(random: Random, count: number, branches = 3, depth = 12): Int32Array[] {
  const ids = new Map<string, number>();
  return Array.from({ length: count }, () => {
    let path = "";
    return Int32Array.from({ length: 1 + random.below(depth) }, () => {
      path += `/${random.below(branches)}`;
      if (!ids.has(path)) ids.set(path, ids.size);
      return ids.get(path)!;
    });
  });
}

/** The same by the last time at which each block was sent: among those of a prompt the deeper is the older. */
class Stamped {
  readonly stamps = new Map<number, number>();
  clock = 0;
  readonly capacity: number;
  constructor(capacity: number) {
    this.capacity = capacity;
  }
  holds(blocks: Int32Array): number {
    const missing = blocks.findIndex((id) => !this.stamps.has(id));
    return missing < 0 ? blocks.length : missing;
  }
  send(blocks: Int32Array): void {
    this.clock++;
    for (const [depth, id] of blocks.entries()) this.stamps.set(id, this.clock - depth / 1000);
    const youngest = [...this.stamps].sort(([, a], [, b]) => b - a).slice(0, this.capacity);
    this.stamps.clear();
    for (const [id, stamp] of youngest) this.stamps.set(id, stamp);
  }
}

describe.each([1, 2, 7, 40, 100_000])("a memory of %i blocks", (capacity) => {
  const random = seeded(capacity);
  const all = prompts(random, 800);

  test("holds what was sent last, and no more than it may", () => {
    const [sent, stamped] = [new SentBlocks(capacity), new Stamped(capacity)];
    for (const [i, blocks] of all.entries()) {
      sent.send(blocks);
      stamped.send(blocks);
      const asked = all[random.below(all.length)];
      expect([sent.holds(asked), sent.size], `after ${i}`).toEqual([stamped.holds(asked), stamped.stamps.size]);
      expect(sent.holds(blocks)).toBe(Math.min(blocks.length, capacity));
    }
    expect(sent.size).toBe(Math.min(capacity, new Set(all.flatMap((blocks) => [...blocks])).size));
  });

  test("a leaf goes before its parent", () => {
    const sent = new SentBlocks(capacity);
    const parent = new Map<number, number>();
    for (const blocks of all) for (let i = 1; i < blocks.length; i++) parent.set(blocks[i], blocks[i - 1]);
    const holds = (id: number) => sent.holds(Int32Array.of(id)) === 1;
    for (const blocks of all) {
      sent.send(blocks);
      const orphans = [...parent.keys()].filter((id) => holds(id) && !holds(parent.get(id)!));
      expect(orphans).toEqual([]);
    }
  });
});

test("a prompt longer than the memory leaves its beginning there", () => {
  const sent = new SentBlocks(3);
  sent.send(Int32Array.of(1, 2));
  sent.send(Int32Array.of(10, 11, 12, 13, 14));
  expect([sent.holds(Int32Array.of(10, 11, 12, 13)), sent.holds(Int32Array.of(1)), sent.size]).toEqual([3, 0, 3]);
});

const BLOCK = 16;
interface Asked {
  input: number;
  blocks?: Int32Array;
}

/** Some without blocks; the last block of the others may be filled in part. */
const asking = (random: Random, count: number): Asked[] =>
  prompts(random, count, 2, 8).map((blocks) =>
    random.next() < 0.2
      ? { input: 1 + random.below(100) }
      : { input: blocks.length * BLOCK - random.below(BLOCK), blocks },
  );

type Choose = (able: WorkerView[], views: readonly WorkerView[], asked: Asked, of: State) => WorkerView | undefined;
interface State {
  requests(w: WorkerView): number;
  prefill(w: WorkerView): number;
  cached(w: WorkerView, asked: Asked): number;
  size(w: WorkerView): number;
}
const firstBy = (able: WorkerView[], ...keys: ((w: WorkerView) => number)[]) =>
  able.toSorted((a, b) => keys.map((key) => key(a) - key(b)).find((d) => d !== 0) ?? a.index - b.index)[0];

/** SGLang's rule in words of arrays. */
const cacheAware =
  ({ balanceAbs = 64, balanceRel = 1.5, cacheThreshold = 0.3 }: CacheAwareOptions): Choose =>
  (able, views, asked, of) => {
    const counts = views.map(of.requests);
    const [most, least] = [Math.max(...counts), Math.min(...counts)];
    if (most - least > balanceAbs && most > balanceRel * least) return firstBy(able, of.requests);
    const rate = (w: WorkerView) => of.cached(w, asked) / asked.input;
    const nearest = firstBy(able, (w) => -rate(w), of.requests);
    if (nearest && rate(nearest) > cacheThreshold) return nearest;
    return firstBy(able, of.size, of.requests);
  };

const lmetric: Choose = (able, _views, asked, of) =>
  firstBy(able, (w) => (of.prefill(w) + Math.max(1, asked.input - of.cached(w, asked))) * (of.requests(w) + 1));

/** Many calls with new views each, several requests to a call. @returns how many went where something of them was cached, and how many in all. */
function compare(
  policy: "cacheAware" | "lmetric",
  options: CacheAwareOptions,
  choose: Choose,
  queue: Queue,
  crowd: number,
) {
  const random = seeded(crowd + 17);
  const capacity = options.blocks ?? 2 ** 15;
  const count = 4;
  const memories = Array.from({ length: count }, () => new Stamped(capacity));
  const router = routing[policy](options).create({ workers: count, seed: 1, queue });
  const requests = asking(random, 1500);
  let waiting: number[] = [];
  let [hits, total] = [0, 0];
  for (let next = 0; next < requests.length; ) {
    for (let k = random.below(6); k >= 0 && next < requests.length; k--, next++) {
      router.arrived(request(next, requests[next].input, { blocks: requests[next].blocks, blockTokens: BLOCK }));
      waiting.push(next);
    }
    const views = randomWorkers(random, count).map((w) => ({ ...w, batch: random.below(1 + crowd) }));
    const sent = views.map(() => ({ requests: 0, prefill: 0 }));
    const of: State = {
      requests: (w) => w.batch! + w.waiting + sent[w.index].requests,
      prefill: (w) => w.prefill! + sent[w.index].prefill,
      cached: (w, { input, blocks }) => (blocks ? Math.min(input, memories[w.index].holds(blocks) * BLOCK) : 0),
      size: (w) => memories[w.index].stamps.size,
    };
    const expected: [number, number][] = [];
    for (const id of waiting) {
      const able = views.filter((w) => queue === "worker" || w.freeSlots - w.waiting > sent[w.index].requests);
      const chosen = choose(able, views, requests[id], of);
      if (!chosen) break;
      const cached = of.cached(chosen, requests[id]);
      hits += cached > 0 ? 1 : 0;
      sent[chosen.index].requests++;
      sent[chosen.index].prefill += Math.max(1, requests[id].input - cached);
      if (requests[id].blocks) memories[chosen.index].send(requests[id].blocks);
      expected.push([id, chosen.index]);
    }
    expect(assigned(router, views, 2000), `at ${next}`).toEqual(expected);
    waiting = waiting.slice(expected.length);
    total += expected.length;
  }
  return { hits, total };
}

describe.each(["worker", "router"] as const)("queues at the %s", (queue) => {
  test.each<[CacheAwareOptions, number]>([
    [{}, 10],
    [{}, 200],
    [{ balanceAbs: 3, balanceRel: 1.2, cacheThreshold: 0 }, 10],
    [{ balanceAbs: 8, cacheThreshold: 0.9, blocks: 20 }, 20],
    [{ balanceAbs: Infinity, cacheThreshold: 0.5, blocks: 100 }, 10],
    [{ balanceAbs: Infinity, cacheThreshold: 1 }, 10],
  ])("cache-aware as SGLang's rule says: %o, up to %i requests running", (options, crowd) => {
    const { hits, total } = compare("cacheAware", options, cacheAware(options), queue, crowd);
    expect(total).toBeGreaterThan(400);
    expect(hits).toBeGreaterThan(total / 5);
    expect(hits).toBeLessThan(total);
  });

  test.each([2 ** 15, 30])("LMetric as its product says, with %i blocks", (blocks) => {
    const { hits, total } = compare("lmetric", { blocks }, lmetric, queue, 10);
    expect(total).toBeGreaterThan(400);
    expect(hits).toBeGreaterThan(total / 5);
  });
});

const goes = (
  router: ReturnType<ReturnType<typeof routing.lmetric>["create"]>,
  views: WorkerView[],
  id: number,
  more: object,
) => {
  router.arrived(request(id, 96, more));
  return assigned(router, views)[0][1];
};

test("without the size of a block it is taken to be the least that holds the prompt", () => {
  // 5 blocks of ceil(96 / 5) = 20 tokens, of which worker 0 holds 4: 16 tokens are new there and 96 at the other.
  const second = (prefill: number) => {
    const router = routing.lmetric().create({ workers: 2, seed: 0 });
    expect(goes(router, workers([{}, { prefill: 1 }]), 0, { blocks: Int32Array.of(1, 2, 3, 4, 5) })).toBe(0);
    return goes(router, workers([{ prefill }, {}]), 1, { blocks: Int32Array.of(1, 2, 3, 4, 6) });
  };
  expect([79, 80, 81].map(second)).toEqual([0, 0, 1]);
});

test.each([
  [64, 0, "balanced"],
  [65, 0, "out of balance"],
  [300, 200, "balanced"],
  [301, 200, "out of balance"],
  [265, 201, "balanced"],
] as const)(
  "with %i and %i requests workers are %s: by more than 64 and by more than 1.5 x",
  (here, there, balance) => {
    const prompt = { blocks: Int32Array.of(1, 2, 3), blockTokens: 32 };
    const router = routing.cacheAware().create({ workers: 2, seed: 0 });
    expect(goes(router, workers([{}, {}]), 0, prompt)).toBe(0);
    expect(goes(router, workers([{ batch: here }, { batch: there }]), 1, prompt)).toBe(balance === "balanced" ? 0 : 1);
  },
);

test("LMetric tells workers apart that hold the whole prompt: by their requests", () => {
  const blocks = Int32Array.of(1, 2, 3);
  const router = routing.lmetric().create({ workers: 2, seed: 0 });
  expect(goes(router, workers([{}, { prefill: 1 }]), 0, { blocks, blockTokens: 32 })).toBe(0);
  expect(goes(router, workers([{ prefill: 999 }, {}]), 1, { blocks, blockTokens: 32 })).toBe(1);
  expect(goes(router, workers([{ batch: 2 }, { batch: 1 }]), 2, { blocks, blockTokens: 32 })).toBe(1);
});

test.each(["cacheAware", "lmetric"] as const)("%s without blocks spreads requests evenly", (name) => {
  const router = routing[name]().create({ workers: 4, seed: 0 });
  for (let id = 0; id < 8; id++) router.arrived(request(id, 10));
  expect(
    assigned(
      router,
      [0, 1, 2, 3].map((g) => worker(g)),
    ).map(([, g]) => g),
  ).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
});

test("the blocks of a request that waits are kept, though the array that it came with is used again", () => {
  const scratch = Int32Array.of(1, 2, 3);
  const router = routing.cacheAware().create({ workers: 2, seed: 0, queue: "router" });
  router.arrived(request(0, 48, { blocks: scratch, blockTokens: 16 }));
  scratch.fill(99);
  expect(assigned(router, workers([{ freeSlots: 0 }, {}]))).toEqual([[0, 1]]);
  router.arrived(request(1, 48, { blocks: Int32Array.of(1, 2, 3), blockTokens: 16 }));
  expect(assigned(router, workers([{}, { batch: 40 }]))).toEqual([[1, 1]]);
});
