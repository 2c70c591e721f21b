import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { requirePolicy } from "../policy_answers.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { CacheRun, type SimulatedCache } from "./cache_run.ts";
import { type CacheTrace, checkCacheTrace, requireCapacity } from "./cache_trace.ts";
import { fixedCost } from "./fixed_cost.ts";

export interface SimulateCacheOptions {
  /** In the unit of the sizes; finite and > 0. */
  capacity: number;
  policy: CachePolicy;
  /** Of policies that draw by chance; an integer, 0 by default. */
  seed?: number;
}

const fields = { capacity: true, policy: true, seed: true } satisfies FieldsOf<SimulateCacheOptions>;

/**
 * Asks a cache for the requests of a trace, one after the other; what is not there costs what the trace says, and is offered to the policy.
 * An object whose size has changed is not there. The same trace, policy and seed give the same figures on every machine.
 *
 * @param trace  Read, not kept.
 * @returns shares are 0, and the latency's figures NaN, of a trace without requests.
 * @throws {ArgumentError} The trace or an option is out of range; a policy of the caller's own breaks a rule, which is named.
 */
export function simulateCache(trace: CacheTrace, options: SimulateCacheOptions): SimulatedCache {
  requireObject("options", options, fields);
  const { capacity, policy, seed = 0 } = options;
  checkCacheTrace(trace);
  requireCapacity(capacity);
  requirePolicy("policy", policy);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  const run = new CacheRun(trace, policy, { capacity, seed });
  run.advance(trace.key.length);
  return run.end(fixedCost(trace, capacity));
}
