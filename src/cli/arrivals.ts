import { ArgumentError } from "../common/errors.ts";
import type { Trace } from "../serving/trace/trace.ts";
import { nameOf } from "./files/json_file.ts";
import { count } from "./print/words.ts";
import type { SimulateOptions } from "./simulate_options.ts";

type Asked = Pick<SimulateOptions, "rate" | "pool" | "requests">;

const DRAW = "--rate R draws them; --rate inf lets all come at once.";

/** Files of lengths alone have none: to let all come at once is a question of its own, and must be asked. */
export function requireArrivals(
  file: string,
  recorded: Trace,
  { rate, pool, requests = 0 }: Asked,
  remedy = DRAW,
): void {
  if (rate !== undefined) return;
  if (requests > recorded.requests) {
    const expected = `at most the ${count(recorded.requests)} of ${nameOf(file)}`;
    throw new ArgumentError("--requests", expected, requests, "With --rate more are drawn from them.");
  }
  const { arrival } = recorded;
  if (pool !== undefined || arrival.length === 1 || arrival[arrival.length - 1] > arrival[0]) return;
  throw new ArgumentError(nameOf(file), "requests that arrive at different times", "all at once", remedy);
}

/** Of the gaps between requests.  @throws {ArgumentError} There are none; ends with the remedy. */
export function meanRate(file: string, { arrival, requests }: Trace, remedy: string): number {
  const span = arrival[requests - 1] - arrival[0];
  if (span > 0) return (requests - 1) / span;
  throw new ArgumentError(nameOf(file), "requests that arrive at different times", "all at once", remedy);
}
