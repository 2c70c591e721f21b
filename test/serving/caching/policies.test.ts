import { describe, expect, test } from "vitest";
import { caching } from "../../../src/serving/caching/caching.ts";
import { foundBy } from "./found.ts";
import { leastOf, type PlainPolicy, plainHits } from "./plain.ts";
import { randomTrace, treeTrace } from "./traces.ts";

const plain: Record<string, () => PlainPolicy> = {
  lru: () => ({ next: (among) => leastOf(among, (one) => one.used) }),
  fifo: () => ({ next: (among) => leastOf(among, (one) => one.came) }),
  lfu: () => ({
    next: (among) =>
      leastOf(
        among,
        (one) => one.uses,
        (one) => one.used,
      ),
  }),
  gdsf: greedyDual,
  lec: leastExpectedCost,
};

/** H is of the last use, with the level of then. */
function greedyDual(): PlainPolicy {
  let level = 0;
  const levels = new Map<number, number>();
  const rank = ({ key, uses, cost, size }: { key: number; uses: number; cost: number; size: number }) =>
    levels.get(key)! + (uses * cost) / size;
  return {
    next: (among) => leastOf(among, rank, (one) => one.used),
    admits(newcomer, victims) {
      for (const victim of victims) level = Math.max(level, rank(victim));
      levels.set(newcomer.key, level);
      return true;
    },
    requested: (key, _, hit) => void (hit && levels.set(key, level)),
  };
}

function leastExpectedCost(): PlainPolicy {
  const seen = new Map<number, { asked: number; observed: number; sum: number; touched: number }>();
  let now = 0;
  const worth = ({ key, size }: { key: number; size: number }) => {
    const { asked, observed, sum } = seen.get(key)!;
    return (asked * (sum / observed)) / size;
  };
  return {
    next: (among) => leastOf(among, worth, (one) => seen.get(one.key)!.touched),
    admits: (newcomer, victims) => victims.every((one) => worth(one) < worth(newcomer)),
    requested(key, cost, hit) {
      const one = seen.get(key) ?? { asked: 0, observed: 0, sum: 0, touched: 0 };
      seen.set(key, one);
      one.asked++;
      one.touched = now++;
      if (hit) return;
      one.observed++;
      one.sum += cost;
    },
  };
}

describe.each(Object.entries(plain))("%s", (name, oracle) => {
  const policy = () => caching[name as keyof typeof caching]();

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])("finds what its plain form finds, seed %i", (seed) => {
    const trace = randomTrace(seed, { requests: 1500, keys: 40, sizes: seed % 2 ? 1 : 6, costs: 9 });
    const capacity = seed % 2 ? 12 : 37;
    expect(foundBy(trace, capacity, policy())).toEqual(plainHits(trace, capacity, oracle()));
  });

  test.each([1, 2, 3, 4, 5])("lets leaves go before their parents, seed %i", (seed) => {
    const trace = treeTrace(seed, { requests: 1500, nodes: 60 });
    expect(foundBy(trace, 15, policy())).toEqual(plainHits(trace, 15, oracle()));
  });
});

test("the plain forms tell policies apart", () => {
  const trace = randomTrace(1, { requests: 1500, keys: 40, sizes: 6, costs: 9 });
  const all = Object.values(plain).map((oracle) => plainHits(trace, 37, oracle()).join());
  expect(new Set(all).size).toBe(all.length);
});
