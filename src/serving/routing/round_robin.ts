import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";

/**
 * Round robin: the next request goes to the next worker. Where requests wait at the router it passes over workers without room and begins
 * with worker 0 at each call, as BF-IO's authors simulate it; else it goes on where it stopped. A worker whose memory is smaller than the
 * prompt and a token is passed over.
 *
 * @throws {ArgumentError} It has no options.
 */
export function roundRobin(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("round robin", (workers, { queue }) => {
    let next = 0;
    return {
      ...keepsNothing,
      begin() {
        if (queue === "router") next = 0;
      },
      choose(input) {
        for (let passed = 0; passed < workers.count; passed++) {
          const g = (next + passed) % workers.count;
          if (workers.open(g, input)) return g;
        }
        return -1;
      },
      sent(g) {
        next = (g + 1) % workers.count;
      },
    };
  });
}
