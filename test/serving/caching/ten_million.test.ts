import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { CachePolicy } from "../../../src/serving/caching/cache_policy.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { createCache } from "../../../src/serving/caching/create_cache.ts";

const CAPACITY = 1000;
const OPERATIONS = 10_000_000;
const policies = Object.values(caching).map((make) => (make as () => CachePolicy)());

test(`no cache holds more than its capacity in ${OPERATIONS} random operations, nor other values than were set`, () => {
  let most = 0;
  let wrong = 0;
  let full = 0;
  for (const policy of policies) {
    const random = seeded(7);
    const cache = createCache<number>({ capacity: CAPACITY, policy });
    for (let i = 0; i < OPERATIONS / policies.length; i++) {
      const drawn = random.next();
      const key = Math.floor(5000 * drawn * drawn);
      const kind = random.below(16);
      if (kind === 0) cache.delete(key);
      else if (kind < 10) {
        const value = cache.get(key);
        if (value !== undefined && value % 5000 !== key) wrong++;
      } else cache.set(key, 5000 * i + key, { size: random.next() * 3 + 1e-9, cost: 1 + (key % 7) });
      if (cache.size > most) most = cache.size;
      if (cache.size > CAPACITY - 3) full++;
    }
  }
  expect(wrong).toBe(0);
  expect(most).toBeLessThanOrEqual(CAPACITY);
  expect(full).toBeGreaterThan(OPERATIONS / 10);
});
