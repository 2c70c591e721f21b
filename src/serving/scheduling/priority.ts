import type { SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, baseline } from "./baseline.ts";

/**
 * The lowest class first, within a class first come first served; requests without a class come last. It takes nothing away from those that run.
 * Otherwise as `fcfs`, but evicted requests wait in their order.
 *
 * @throws {ArgumentError} An option is unknown or out of its range; with admission "future" at the first request without a prediction.
 */
export function priority(options: AdmissionOptions = {}): SchedulingPolicy {
  return baseline("priority", options, (_, r) => r.class ?? Number.POSITIVE_INFINITY);
}
