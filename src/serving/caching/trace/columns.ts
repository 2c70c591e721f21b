import { ArgumentError, ShapeError } from "../../../common/errors.ts";
import { numberOf, place } from "../../trace/fields.ts";

/** What stands in a line between blanks or tabs. */
export const columnsOf = (text: string): string[] => text.trim().split(/[ \t]+/);

/** @throws {ShapeError} The line has not so many columns. */
export function requireColumns(columns: readonly string[], count: number, line: number): void {
  if (columns.length !== count) throw new ShapeError(place(line), `${count} columns`, columns.length);
}

/** @throws {ArgumentError} The text says no finite number >= 0; or, with `above0`, > 0. */
export function measured(text: string, line: number, field: string, above0 = false): number {
  const value = numberOf(text);
  if (Number.isFinite(value) && (above0 ? value > 0 : value >= 0)) return value;
  throw new ArgumentError(place(line, field), `a finite number ${above0 ? ">" : ">="} 0`, text);
}
