import type { SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, baseline } from "./baseline.ts";

/**
 * The shortest prompt first, of equals the one that came first: shortest job first where nothing is known of outputs. Otherwise as `fcfs`, but evicted
 * requests wait in their order.
 *
 * @throws {ArgumentError} An option is unknown or out of its range; with admission "future" at the first request without a prediction.
 */
export function sjf(options: AdmissionOptions = {}): SchedulingPolicy {
  return baseline("shortest prompt first", options, ({ input }) => input);
}
