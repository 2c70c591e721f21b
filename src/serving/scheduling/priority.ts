import type { RequestView, SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, admissionOf, checksFuture } from "./admission.ts";
import { estimateBy, type Job, middle } from "./job.ts";
import { Ordered } from "./ordered.ts";

/**
 * The lowest class first, within a class first come first served; requests without a class come last. It takes nothing away from those that run.
 * Otherwise as `fcfs`, but evicted requests wait in their order.
 *
 * @param options.admission  "present" by default; "future": see `mcsf`.
 * @throws {ArgumentError} An option is unknown or out of its range; with "future" at the first request without a prediction.
 */
export function priority(options: AdmissionOptions = {}): SchedulingPolicy {
  const future = checksFuture(options);
  const estimate = future ? estimateBy('priority with admission "future"', middle) : undefined;
  const order = { estimate, key: (_: Job, r: RequestView) => r.class ?? Number.POSITIVE_INFINITY };
  return { name: "priority", create: (o) => new Ordered(order, admissionOf(future, o)) };
}
