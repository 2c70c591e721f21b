/** Rows as a table. */
import type { Row } from "./row.ts";

/** Columns of words; all others are figures. */
export const WORDS = 3;

/** Header and rows, rounded; the JSON is not. */
export function cells(rows: readonly Row[]): string[][] {
  const header = [
    ...["question", "topology", "solver", "batch"],
    ...["us/LP", "us/call", "5 %", "95 %", "GPU us"],
    ...["gap mean", "gap max", "optimal"],
  ];
  const placed = rows.some((row) => row.placed) ? ["imbalance", "95 %", "moves", "stopped by"] : [];
  const lines = rows.map((row) => [
    row.question,
    row.topology,
    row.solver,
    row.batch.toLocaleString("en"),
    us(row.usPerLp),
    us(row.medianUs),
    us(row.p05Us),
    us(row.p95Us),
    row.timestampUs === undefined ? "" : us(row.timestampUs),
    percent(row.gapMean, 4),
    percent(row.gapMax, 3),
    percent(row.optimalShare, 1),
    ...(placed.length > 0 ? placedCells(row) : []),
  ]);
  return [[...header, ...placed], ...lines];
}

/** Three digits. */
export const us = (value: number): string =>
  value < 1000 ? value.toPrecision(3) : Math.round(value).toLocaleString("en");

const percent = (share: number | null, digits: number) => (share === null ? "" : `${(100 * share).toFixed(digits)} %`);

/**
 * The rows that two measurements have in common, and how many times as long the second took.
 *
 * @param names  of the two.
 * @returns header and rows; undefined where they have none in common.
 */
export function comparedCells(
  [first, second]: readonly [readonly Row[], readonly Row[]],
  names: readonly [string, string],
): string[][] | undefined {
  const keyOf = ({ question, topology, solver, batch }: Row) => JSON.stringify([question, topology, solver, batch]);
  const others = new Map(second.map((row) => [keyOf(row), row]));
  const pairs = first.flatMap((row) => {
    const other = others.get(keyOf(row));
    return other ? [[row, other]] : [];
  });
  if (pairs.length === 0) return undefined;
  const onGpu = pairs.some(([row, other]) => (row.timestampUs ?? other.timestampUs) !== undefined);
  const gpu = (row: Row) => (row.timestampUs === undefined ? "" : us(row.timestampUs));
  const header = ["question", "topology", "solver", "batch", ...names.map((name) => `us/LP, ${name}`), "ratio"];
  const lines = pairs.map(([row, other]) => [
    row.question,
    row.topology,
    row.solver,
    row.batch.toLocaleString("en"),
    us(row.usPerLp),
    us(other.usPerLp),
    row.usPerLp > 0 ? `${(other.usPerLp / row.usPerLp).toPrecision(3)} x` : "",
    ...(onGpu ? [gpu(row), gpu(other)] : []),
  ]);
  return [[...header, ...(onGpu ? names.map((name) => `GPU us, ${name}`) : [])], ...lines];
}

function placedCells({ placed }: Row): string[] {
  if (!placed) return ["", "", "", ""];
  const { imbalance, p95, moves, stoppedBy } = placed;
  return [imbalance.toFixed(4), p95.toFixed(4), moves?.toLocaleString("en") ?? "", stoppedBy ?? ""];
}
