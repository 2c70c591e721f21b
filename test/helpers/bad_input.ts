/** Input that is not as it should be, and what must be said about it. */
import { expect } from "vitest";
import { ArgumentError } from "../../src/index.ts";

export type Kind = typeof ArgumentError;
/** The whole message, the class of the error, and what takes the place of a part of good input. */
export type Bad = [message: string, kind: Kind, part: Record<string, unknown>];
/** How a message shows a value, and the value. */
export type Shown = [shown: string, value: unknown];

export const noNumbers: Shown[] = [
  ["undefined", undefined],
  ["null", null],
  ['"7"', "7"],
  ["7n", 7n],
  ["true", true],
  ["Array of length 1", [7]],
  ["an object of Object", {}],
  ["NaN", Number.NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];
export const negative: Shown[] = [
  ["-1", -1],
  ["-1e-300", -1e-300],
];
export const noArrays: Shown[] = [
  ["null", null],
  ["3", 3],
  ['"1,2,3"', "1,2,3"],
  ["an object of Object", { 0: 1, 1: 2, 2: 3, length: 3 }],
  ["an object of Set", new Set([1, 2, 3])],
  ["an object of ArrayBuffer", new ArrayBuffer(12)],
  ["an object of DataView", new DataView(new ArrayBuffer(12))],
  ["a function", () => [1, 2, 3]],
  ["a symbol", Symbol("1, 2, 3")],
];
export const missing: Shown = ["undefined", undefined];

export function badArrays(argument: string, values = noArrays): Bad[] {
  const bigints = `${argument}: expected numbers rather than bigints, got BigInt64Array of length 2.`;
  return [
    ...values.map(([shown, value]): Bad => {
      const message = `${argument}: expected an array or TypedArray of numbers, got ${shown}.`;
      return [message, ArgumentError, { [argument]: value }];
    }),
    [`${bigints} Convert with Int32Array.from(x, Number).`, ArgumentError, { [argument]: BigInt64Array.of(1n, 2n) }],
  ];
}

/** Each of the values, and a hole, at the end of an array of `length` good ones. */
export function badElements(argument: string, length: number, expected: string, kind: Kind, values: Shown[]): Bad[] {
  const good = new Array<unknown>(length - 1).fill(1);
  const message = (shown: string) => `${argument}[${length - 1}]: expected ${expected}, got ${shown}.`;
  const sparse = good.slice();
  sparse.length = length;
  return [
    ...values.map(([shown, value]): Bad => [message(shown), kind, { [argument]: [...good, value] }]),
    [message("undefined"), kind, { [argument]: sparse }],
  ];
}

/** What a call throws. */
export function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return "nothing thrown";
}

export function expectError(error: unknown, message: string, kind: Kind) {
  expect(error).toBeInstanceOf(kind);
  const { name, argument, expected } = error as ArgumentError;
  expect([(error as Error).message, name]).toEqual([message, kind.name]);
  expect(message.startsWith(`${argument}: expected ${expected}, got `)).toBe(true);
}
