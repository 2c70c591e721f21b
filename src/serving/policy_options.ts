import { ArgumentError } from "../common/errors.ts";

/** Of a policy that has none. */
export type NoOptions = Record<string, never>;

/** @throws {ArgumentError} There are options that nobody would read. */
export function requireNoOptions(options: NoOptions | undefined): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null) throw new ArgumentError("options", "an object", options);
  const name = Object.keys(options).find((key) => options[key] !== undefined);
  if (name !== undefined) throw new ArgumentError("options", "no fields, since this policy has no options", name);
}

/** @throws {ArgumentError} It is no number of that range; `expected` says which. */
export function requireRange(
  argument: string,
  value: number,
  expected: string,
  good: (value: number) => boolean,
): void {
  if (typeof value !== "number" || !good(value)) throw new ArgumentError(argument, expected, value);
}
