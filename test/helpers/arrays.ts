/** Where two arrays first differ, if they do. For long ones, of which vitest's toEqual makes seconds. */
export function difference(found: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  if (found.length !== expected.length) return `${found.length} values, expected ${expected.length}`;
  for (let i = 0; i < found.length; i++) {
    if (found[i] !== expected[i]) return `[${i}] is ${found[i]}, expected ${expected[i]}`;
  }
  return undefined;
}

/** Row `row` of an array of rows of equal length. */
export function rowOf<T extends Int32Array | Uint32Array>(values: T, row: number, length: number): T {
  return values.subarray(row * length, (row + 1) * length) as T;
}
