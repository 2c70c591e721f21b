import { ArgumentError } from "../../common/errors.ts";
import { place } from "./fields.ts";

/** The cells of a row. Quoted ones may hold commas and doubled quotes, but no line's end. */
export function cellsOf(text: string, line: number): string[] {
  if (!text.includes('"')) return text.split(",");
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const [cell, end] = text[at] === '"' ? quoted(text, at, line) : bare(text, at);
    cells.push(cell);
    at = end + 1;
  }
  return cells;
}

function bare(text: string, at: number): [string, number] {
  const comma = text.indexOf(",", at);
  const end = comma < 0 ? text.length : comma;
  return [text.slice(at, end), end];
}

function quoted(text: string, at: number, line: number): [string, number] {
  let end = at + 1;
  while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
  if (text[end] !== '"' || (end + 1 < text.length && text[end + 1] !== ",")) {
    throw new ArgumentError(place(line), "quotes that end with their cell, on the same line", text);
  }
  return [text.slice(at + 1, end).replaceAll('""', '"'), end + 1];
}
