import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type Numbers, requireNumbers } from "../../common/numbers.ts";

/** A copy. @throws {ArgumentError} One is not finite, or not as expected; it is named by its path. */
export function checkedEach(
  given: Numbers,
  path: (i: number) => string,
  expected: string,
  good: (x: number) => boolean,
): Float64Array {
  for (let i = 0; i < given.length; i++) {
    if (!(Number.isFinite(given[i]) && good(given[i]))) throw new ArgumentError(path(i), expected, given[i]);
  }
  return Float64Array.from(given);
}

/** A copy. @throws {ShapeError} There is no budget.  @throws {ArgumentError} One is not finite, or not as expected. */
export function checkedBudget(budget: Numbers, expected: string, good: (x: number) => boolean): Float64Array {
  requireNumbers("budget", budget);
  if (budget.length === 0) throw new ShapeError("budget", "at least 1 budget", 0);
  return checkedEach(budget, (i) => `budget[${i}]`, expected, good);
}
