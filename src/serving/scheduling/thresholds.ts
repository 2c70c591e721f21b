import { ArgumentError } from "../../common/errors.ts";

/** @throws {ArgumentError} Thresholds are no integers >= 1, or fields that would give them are there, too. */
export function requireThresholds(options: { thresholds: number[] }, others: Readonly<Record<string, true>>): void {
  const { thresholds } = options;
  if (!Array.isArray(thresholds) || thresholds.length === 0)
    throw new ArgumentError("options.thresholds", "an array of at least one threshold", thresholds);
  for (const [j, threshold] of thresholds.entries()) {
    if (!(Number.isSafeInteger(threshold) && threshold >= 1))
      throw new ArgumentError(`options.thresholds[${j}]`, "an integer >= 1", threshold);
  }
  const both = Object.entries(options).find(([name, value]) => Object.hasOwn(others, name) && value !== undefined);
  if (both) throw new ArgumentError(`options.${both[0]}`, "none beside thresholds", both[1]);
}
