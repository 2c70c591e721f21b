import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";

/**
 * FCFS fill: the first worker, by its index, that has a free slot and free memory for the prompt and a token, what the call has assigned
 * already counted. If none has, the request waits at the router, whichever queue there is, and all behind it. So worker 0 is filled to
 * the brim, then worker 1. A prompt that no worker's whole memory holds goes to the first with a free slot.
 *
 * @throws {ArgumentError} It has no options.
 */
export function firstFit(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("first fit", (workers) => {
    const free = workers.signal((w) => w.freeKv);
    return {
      ...keepsNothing,
      choose(input) {
        for (let g = 0; g < workers.count; g++) {
          if (workers.room.of(g) < 1 || !workers.holds(g, input)) continue;
          if (free.of(g) > input || !workers.holdAnywhere(input)) return g;
        }
        return -1;
      },
      sent: (g, input) => free.add(g, -(input + 1)),
    };
  });
}
