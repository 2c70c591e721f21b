import type { SchedulingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, toGo } from "./job.ts";
import { Ordered } from "./ordered.ts";

/**
 * A_max: `mcsf` with the upper end of each predicted interval, so that the memory runs out only where an output exceeds it; then the one that began last
 * goes first. A point is an interval of one token count.
 *
 * @throws {ArgumentError} It has no options; at the first request without a prediction.
 * @see Chen, Ye and Zhou, arXiv 2508.14544.
 */
export function aMax(options?: NoOptions): SchedulingPolicy {
  requireNoOptions(options);
  const order = { estimate: estimateBy("aMax orders by it", (_least, most) => most), key: toGo };
  return { name: "A_max", create: ({ kvTokens }) => new Ordered(order, new FutureCheck(kvTokens)) };
}
