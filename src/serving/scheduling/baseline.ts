import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { SchedulingPolicy } from "../policy.ts";
import { PresentCheck } from "./admission.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, middle } from "./job.ts";
import { type Order, Ordered } from "./ordered.ts";
import type { Line } from "./waiting.ts";

export interface AdmissionOptions {
  /**
   * "present" (default): a request begins if the memory that is free now holds its prompt, the tokens that it has and the next, as engines do. "future": if
   * by the predictions the memory never runs out after that, either; see `mcsf`.
   */
  admission?: "present" | "future";
}

const fields = { admission: true } satisfies FieldsOf<AdmissionOptions>;

/**
 * A policy whose order needs no predictions.
 *
 * @param line  makes who waits; by keys where it is left out.
 * @throws {ArgumentError} An option is unknown or out of its range.
 */
export function baseline(
  name: string,
  options: AdmissionOptions,
  key: Order["key"],
  line?: () => Line,
): SchedulingPolicy {
  requireObject("options", options, fields);
  const { admission = "present" } = options;
  if (admission === "present") {
    return { name, create: () => new Ordered({ key }, new PresentCheck(), line?.()) };
  }
  if (admission !== "future") throw new ArgumentError("admission", '"present" or "future"', admission);
  const order = { key, estimate: estimateBy('admission "future" goes by it', middle) };
  return { name, create: ({ kvTokens }) => new Ordered(order, new FutureCheck(kvTokens), line?.()) };
}
