import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { SchedulingPolicy } from "../policy.ts";
import { requireRange } from "../policy_options.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, middle, toGo } from "./job.ts";
import { Ordered } from "./ordered.ts";

export interface McsfOptions {
  /** Share of the memory that is kept free for outputs longer than predicted; 0 by default. */
  reserve?: number;
}

const fields = { reserve: true } satisfies FieldsOf<McsfOptions>;

/**
 * MC-SF: the shortest predicted output first, of equals the one that came first, while the memory holds all that run until their predicted ends; none
 * where the one ahead of it does not fit. With prompts s_i, predicted outputs o_i and starts k_i a newcomer j fits in step k if at each
 * predicted end t <= k + o_j, of those that run and its own,
 *
 *   sum over i with k_i + o_i >= t of (s_i + t - k_i)  <=  (1 - reserve) M
 *
 * and in the next step by what is free. Who has outlived its prediction is taken to end with the next step. Who begins with tokens,
 * prefilled elsewhere or evicted without losing them, counts with them, and has so many fewer to go. Where nothing runs the first
 * begins if its prompt fits. Of a predicted interval the middle is taken, rounded up. Where the memory runs out, the one that began last goes first.
 *
 * @throws {ArgumentError} An option is unknown or out of its range; at the first request without a prediction.
 * @see Jaillet et al., arXiv 2502.07115.
 */
export function mcsf(options: McsfOptions = {}): SchedulingPolicy {
  requireObject("options", options, fields);
  const { reserve = 0 } = options;
  requireRange("reserve", reserve, "a share from 0 to below 1", (share) => share >= 0 && share < 1);
  const order = { estimate: estimateBy("mcsf orders by it", middle), key: toGo };
  return {
    name: "MC-SF",
    create: ({ kvTokens }) => new Ordered(order, new FutureCheck(kvTokens, Math.ceil(reserve * kvTokens))),
  };
}
