import type { SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, admissionOf, checksFuture } from "./admission.ts";
import { estimateBy, type Job, middle } from "./job.ts";
import { Ordered } from "./ordered.ts";

/**
 * The shortest prompt first, of equals the one that came first: shortest job first where nothing is known of outputs. Otherwise as `fcfs`, but evicted
 * requests wait in their order.
 *
 * @param options.admission  "present" by default; "future": see `mcsf`.
 * @throws {ArgumentError} An option is unknown or out of its range; with "future" at the first request without a prediction.
 */
export function sjf(options: AdmissionOptions = {}): SchedulingPolicy {
  const future = checksFuture(options);
  const estimate = future ? estimateBy('sjf with admission "future"', middle) : undefined;
  const order = { estimate, key: ({ input }: Job) => input };
  return { name: "shortest prompt first", create: (o) => new Ordered(order, admissionOf(future, o)) };
}
