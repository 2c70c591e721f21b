/**
 * Scalars that an algorithm can be written over once and read in several ways: with numbers it runs, with names of shader values it writes WGSL
 * (src/lp/kernels/generate.ts), with values of four lanes a WebAssembly program (src/lp/simd/program.ts). S: real and whole numbers, B: conditions.
 */
export interface Field<S, B> {
  constant(value: number): S;
  /** The sum of one or more terms. */
  sum(terms: readonly S[]): S;
  sub(a: S, b: S): S;
  mul(a: S, b: S): S;
  div(a: S, b: S): S;
  max(a: S, b: S): S;
  min(a: S, b: S): S;
  /** A whole number: an i32 in a shader. `sum`, `sub`, `mul`, `max` and `min` take them as well, but do not mix the two kinds. */
  whole(value: number): S;
  /** The whole number next to a real one > -1/2. */
  round(real: S): S;
  real(whole: S): S;
  /** a / b of whole numbers, b > 0, rounded towards zero. */
  quotient(a: S, b: S): S;
  less(a: S, b: S): B;
  and(a: B, b: B): B;
  select(condition: B, yes: S, no: S): S;
}

/** A field with control flow, enough for a whole solver. */
export interface Code<S, B> extends Field<S, B> {
  variable(initial: S): Variable<S>;
  when(condition: B, body: () => void): void;
  /** while (condition()) body(); what the condition computes is in scope in the body. */
  loop(condition: () => B, body: () => void): void;
}

export interface Variable<S> {
  /** Its value now: later assignments do not change what was read. */
  get(): S;
  set(value: S): void;
}

export const numbers: Code<number, boolean> = {
  constant: (value) => value,
  sum: (terms) => terms.reduce((a, b) => a + b),
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  whole: (value) => value,
  round: (real) => Math.floor(real + 0.5),
  real: (whole) => whole,
  quotient: (a, b) => Math.trunc(a / b),
  less: (a, b) => a < b,
  and: (a, b) => a && b,
  select: (condition, yes, no) => (condition ? yes : no),
  variable(value) {
    return {
      get: () => value,
      set(next) {
        value = next;
      },
    };
  },
  when(condition, body) {
    if (condition) body();
  },
  loop(condition, body) {
    while (condition()) body();
  },
};

/** One value of many by an operation whose order does not matter, in as few steps after another as can be. */
export function reduced<S>(values: readonly S[], of: (a: S, b: S) => S): S {
  let row = values;
  while (row.length > 1) {
    const half: S[] = [];
    for (let i = 0; i < row.length; i += 2) half.push(i + 1 < row.length ? of(row[i], row[i + 1]) : row[i]);
    row = half;
  }
  return row[0];
}

/** The sum of terms, without those that are known to be 0, in as few additions after another as can be. */
export function summed<S>(terms: readonly S[], isZero: (term: S) => boolean, add: (a: S, b: S) => S): S {
  const kept = terms.filter((term) => !isZero(term));
  return kept.length === 0 ? terms[0] : reduced(kept, add);
}

/** value * factor, where that is not the value. */
export function timesConstant<S, B>(c: Field<S, B>, value: S, factor: number): S {
  return factor === 1 ? value : c.mul(value, c.constant(factor));
}

/**
 * Moves what is `wanted` from `held[r - 1]` on to `held[r]`, or back where that is below 0, as far as there is any; returns how much.
 *
 * @param zero  of the kind of the values, real or whole.
 */
export function moveOn<S, B>(c: Field<S, B>, held: S[], r: number, wanted: S, zero: S): S {
  const moved = c.min(c.max(wanted, c.sub(zero, held[r])), held[r - 1]);
  held[r - 1] = c.sub(held[r - 1], moved);
  held[r] = c.sum([held[r], moved]);
  return moved;
}

/** Thrown by a field whose text grows beyond what was allowed. */
export class TooLong extends Error {
  /** @param most  Steps or statements. */
  constructor(most: number) {
    super(`more than ${most} steps`);
  }
}
