import type { SchedulingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, middle, volume } from "./job.ts";
import { Ordered } from "./ordered.ts";

/**
 * SVF, smallest volume first: in order of the memory x time that a request is predicted to take,
 *
 *   s o + (o^2 + o) / 2     token-steps, for a prompt of s and a predicted output of o tokens,
 *
 * of equals the one that came first; admitted as by `mcsf`. For requests that come at once, with exact predictions, their total latency is at
 * most 5 times the least possible.
 *
 * @throws {ArgumentError} It has no options; at the first request without a prediction.
 * @see arXiv 2606.22327.
 */
export function svf(options?: NoOptions): SchedulingPolicy {
  requireNoOptions(options);
  const order = { estimate: estimateBy("svf orders by it", middle), key: volume };
  return { name: "SVF", create: ({ kvTokens }) => new Ordered(order, new FutureCheck(kvTokens)) };
}
