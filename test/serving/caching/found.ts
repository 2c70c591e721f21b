import type { CachePolicy } from "../../../src/serving/caching/cache_policy.ts";
import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { simulateCache } from "../../../src/serving/caching/simulate_cache.ts";

/** Which of the requests a policy is told to be there. */
export function foundBy(trace: CacheTrace, capacity: number, policy: CachePolicy): boolean[] {
  const heard: boolean[] = [];
  const told: CachePolicy = {
    name: policy.name,
    create(o) {
      const inner = policy.create(o);
      return {
        hit(key, now) {
          heard[now] = true;
          inner.hit(key, now);
        },
        admit: (...made) => inner.admit(...made),
        victim: () => inner.victim(),
        removed: (key) => inner.removed(key),
      };
    },
  };
  simulateCache(trace, { capacity, policy: told });
  return Array.from(trace.key, (_, i) => heard[i] === true);
}
