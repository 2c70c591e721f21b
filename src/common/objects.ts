import { ArgumentError } from "./errors.ts";

/** The names of T's fields, checked to be all of them: a field that is added must be listed. */
export type FieldsOf<T> = Record<keyof T, true>;

type Fields = Readonly<Record<string, true>>;

/** Throws unless `value` is an object of known fields. */
export function requireObject(argument: string, value: unknown, known: Fields): void {
  if (typeof value !== "object" || value === null) throw new ArgumentError(argument, "an object", value);
  requireKnown(argument, value, known);
}

/**
 * Throws where an object has a field that nobody reads. A misspelt one would be passed over, and what it says with it. Fields that are
 * undefined count as absent; instances of classes may have what they like.
 */
export function requireKnown(argument: string, value: object | undefined, known: Fields): void {
  refuse(argument, value, known, () => true);
}

/** The same where a record that has more than is read may be given, as from a file: only names that look misspelt are refused. */
export function requireNoneMisspelt(argument: string, value: object | undefined, known: Fields): void {
  refuse(argument, value, known, (name, nearest) => distance(name.toLowerCase(), nearest.toLowerCase()) <= MISSPELT);
}

/** Letters inserted, deleted or changed. */
const MISSPELT = 2;

function refuse(
  argument: string,
  value: object | undefined,
  known: Fields,
  refused: (name: string, nearest: string) => boolean,
): void {
  if (typeof value !== "object" || value === null) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return;
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const meant = nearest(name, names);
    if (!refused(name, meant)) continue;
    throw new ArgumentError(argument, `only ${names.join(", ")}`, name, `Did you mean ${meant}?`);
  }
}

/** The name that takes the fewest letters inserted, deleted or changed, in upper or lower case alike. */
function nearest(name: string, names: readonly string[]): string {
  const distances = names.map((known) => distance(name.toLowerCase(), known.toLowerCase()));
  return names[distances.indexOf(Math.min(...distances))];
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (letter === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
