import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";
import { readRequests } from "./signals.ts";

/**
 * The worker with the fewest requests, running or waiting; of equals the one with the lowest index.
 *
 * @throws {ArgumentError} It has no options.
 */
export function leastRequests(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("least requests", (workers) => {
    const requests = workers.signal(readRequests);
    return {
      ...keepsNothing,
      choose: (input) => workers.least(input, requests.of),
      sent: (g) => requests.add(g, 1),
    };
  });
}
