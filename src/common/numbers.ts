import { ArgumentError, ShapeError } from "./errors.ts";

/** A row of numbers as users bring it: a TypedArray (not of bigints) or a plain array. Read, never written or kept. */
export type Numbers = ArrayLike<number>;

/** Whole tokens are counted in i32: the loads of one LP may add up to this much. */
export const MAX_TOKENS = 2 ** 31 - 1;

/** Rows of numbers: in one array in row-major order, or an array of rows, or of arrays of rows where there are more axes. */
export type Rows = Numbers | readonly Rows[];

/** Numbers in row-major order. What each is remains to be checked. */
export interface Flat {
  readonly values: Numbers;
  /** What value i is called in a message. */
  path(i: number): string;
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** Throws unless it is an array, or a TypedArray of numbers. */
export function requireNumbers(argument: string, values: unknown): asserts values is Numbers {
  if (!isList(values)) throw new ArgumentError(argument, "an array or TypedArray of numbers", values);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const remedy = "Convert with Int32Array.from(x, Number).";
    throw new ArgumentError(argument, "numbers rather than bigints", values, remedy);
  }
}

/**
 * Brings rows to one array; what is flat already is not copied.
 *
 * @param row  the axes of a row and their sizes, by the names they have in messages: { E: 32 } for [B, E].
 * @throws {ShapeError} A row has another length; it is named.  @throws {ArgumentError} There is something else than rows or numbers.
 */
export function flat(argument: string, given: Rows, row: Readonly<Record<string, number>>): Flat {
  requireNumbers(argument, given);
  const values: ArrayLike<unknown> = given;
  const axes = isList(values[0]) ? Object.entries(row) : [];
  if (axes.length === 0) return { values: given, path: (i) => `${argument}[${i}]` };
  const width = axes.reduce((product, [, size]) => product * size, 1);
  const inner = Object.fromEntries(axes.slice(1));
  const all = new Array<number>(values.length * width);
  const rows = Array.from(values, (one, i) => {
    const path = `${argument}[${i}]`;
    if (!isList(one)) throw new ArgumentError(path, "a row of numbers as the first", one);
    const part = flat(path, one as Rows, inner);
    if (part.values.length !== width) throw new ShapeError(path, `${productOf(row)} values`, part.values.length);
    for (let j = 0; j < width; j++) all[i * width + j] = part.values[j];
    return part;
  });
  return { values: all, path: (i) => rows[Math.floor(i / width)].path(i % width) };
}

/** "E * X = 4 * 2 = 8" */
function productOf(row: Readonly<Record<string, number>>): string {
  const sizes = Object.values(row);
  const names = Object.keys(row).join(" * ");
  if (sizes.length === 1) return `${names} = ${sizes[0]}`;
  return `${names} = ${sizes.join(" * ")} = ${sizes.reduce((a, b) => a * b)}`;
}
