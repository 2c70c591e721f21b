import type { SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, baseline } from "./baseline.ts";
import { Arrivals } from "./waiting.ts";

/**
 * First come first served, as engines do by default: a request begins when a slot is free and its prompt, with its first token, fits in the memory
 * that is free now, and none before the one ahead of it. Where the memory runs out, the one that began last goes first, and waits ahead
 * of all others.
 *
 * @throws {ArgumentError} An option is unknown or out of its range; with admission "future" at the first request without a prediction.
 */
export function fcfs(options: AdmissionOptions = {}): SchedulingPolicy {
  return baseline(
    "first come first served",
    options,
    ({ turn }) => turn,
    () => new Arrivals(),
  );
}
