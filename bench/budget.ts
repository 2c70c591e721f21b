/** What a single solve may take, of GPU time. */
import type { Row } from "./row.ts";

export const SINGLE_SOLVES = "solve-latency";
export const ROUND_TRIP = "bare round trip";

/** What can be said of a budget. Rows are those of single solves whose GPU time is known: all of them, or those over the budget. */
export type Verdict =
  | { says: "no hardware" | "no timestamps" | "not asked" }
  | { says: "within" | "over"; rows: readonly Row[] };

/** @param software  Whether the adapter is a program on the CPU's cores: its time for a single solve says nothing of a GPU. */
export function holdTo(budgetUs: number, rows: readonly Row[], software: boolean): Verdict {
  if (software) return { says: "no hardware" };
  const asked = rows.filter(({ question, batch }) => question === SINGLE_SOLVES && batch === 1);
  if (asked.length === 0) return { says: "not asked" };
  const single = asked.filter(({ solver, timestampUs }) => solver !== ROUND_TRIP && timestampUs !== undefined);
  if (single.length === 0) return { says: "no timestamps" };
  const over = single.filter(({ timestampUs }) => timestampUs! > budgetUs);
  return over.length > 0 ? { says: "over", rows: over } : { says: "within", rows: single };
}
