import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";
import { readBatch } from "./signals.ts";

/** A request that waits counts as much as so many that run. */
const WAITING = 4;

/**
 * The load balancer of vLLM's data parallelism: the worker with the least
 *
 *   4 waiting + running
 *
 * where what the call has assigned already waits. Of equals the one with the lowest index, as there with one API server; with several,
 * each begins its search at another worker.
 *
 * @throws {ArgumentError} It has no options.
 * @see vLLM, vllm/v1/engine/core_client.py, DPLBAsyncMPClient.get_core_engine_for_request.
 */
export function waitingRunning(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("4 waiting + running", (workers) => {
    const score = workers.signal((w) => WAITING * w.waiting + readBatch(w));
    return {
      ...keepsNothing,
      choose: (input) => workers.least(input, score.of),
      sent: (g) => score.add(g, WAITING),
    };
  });
}
