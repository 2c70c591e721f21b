import type { SchedulingPolicy } from "../policy.ts";
import { type AdmissionOptions, admissionOf, checksFuture } from "./admission.ts";
import { estimateBy, middle } from "./job.ts";
import { Ordered } from "./ordered.ts";

/**
 * First come first served, as engines do by default: a request begins when a slot is free and its prompt, with its first token, fits in the memory
 * that is free now, and none before the one ahead of it. Where the memory runs out, the one that began last goes first, and waits ahead
 * of all others.
 *
 * @param options.admission  "present" by default; "future": see `mcsf`.
 * @throws {ArgumentError} An option is unknown or out of its range; with "future" at the first request without a prediction.
 */
export function fcfs(options: AdmissionOptions = {}): SchedulingPolicy {
  const future = checksFuture(options);
  const estimate = future ? estimateBy('fcfs with admission "future"', middle) : undefined;
  const order = { estimate, key: ({ turn }: { turn: number }) => turn, evictedFirst: true };
  return { name: "first come first served", create: (o) => new Ordered(order, admissionOf(future, o)) };
}
