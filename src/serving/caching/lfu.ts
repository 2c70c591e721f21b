import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { Ordered } from "./ordered.ts";
import { Ranked } from "./ranked.ts";

/** Admits everything; what has been used least often since it came goes first, of equals the least recently used. O(log n). */
export function lfu(options?: NoOptions): CachePolicy {
  requireNoOptions(options);
  return {
    name: "lfu",
    create() {
      const uses: number[] = [];
      const entered = (place: number) => {
        uses[place] = 1;
        return 1;
      };
      return new Ordered(new Ranked({ entered, hit: (place) => ++uses[place] }));
    },
  };
}
