import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";
import { readLoad } from "./signals.ts";

/**
 * Join the shortest queue by KV tokens: the worker with the least load L_g, the prompts counted that the call has assigned already; of
 * equals the one with the lowest index.
 *
 * @throws {ArgumentError} It has no options.
 */
export function leastKv(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("least KV", (workers) => {
    const load = workers.signal(readLoad);
    return {
      ...keepsNothing,
      choose: (input) => workers.least(input, load.of),
      sent: (g, input) => load.add(g, input),
    };
  });
}
