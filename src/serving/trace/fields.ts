import { ArgumentError } from "../../common/errors.ts";

/** Where something stands in a trace's text: `trace, line 3, "GeneratedTokens"`. */
export function place(line: number, field?: string): string {
  return field === undefined ? `trace, line ${line}` : `trace, line ${line}, "${field}"`;
}

/** A number as decimal text says it; NaN for all else, as "", "0x10" and "Infinity". */
export function numberOf(text: string): number {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
}

/** @param shown  what came, as it stands in the text.  @param where  called only for the message. */
export function requireLength(value: unknown, shown: unknown, where: () => string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value < 2 ** 31) return value;
  throw new ArgumentError(where(), "an integer from 1 to 2^31 - 1", shown);
}

/** A stamp or a distance in time. */
export function requireTime(value: unknown, shown: unknown, where: () => string): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw new ArgumentError(where(), "a finite number >= 0", shown);
}

export type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws {ArgumentError} The text is no JSON, as where it was cut off, or another value. */
export function requireJsonObject(text: string, where: string, remedy?: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ArgumentError(where, "a whole JSON object", text, remedy ?? `${(error as Error).message}.`);
  }
  if (!isObject(value)) throw new ArgumentError(where, "a JSON object", value);
  return value;
}

/** What stands at the end of a path through objects; undefined where something is missing. */
export function fieldAt(object: JsonObject, ...path: readonly string[]): unknown {
  let value: unknown = object;
  for (const name of path) value = isObject(value) ? value[name] : undefined;
  return value;
}
