/**
 * Scalars that an algorithm can be written over once and read twice: with numbers it runs, with names of shader values it
 * writes straight-line WGSL (src/specialised/).
 */
export interface Field<S> {
  constant(value: number): S;
  /** The sum of one or more terms. */
  sum(terms: readonly S[]): S;
  sub(a: S, b: S): S;
  mul(a: S, b: S): S;
  div(a: S, b: S): S;
  max(a: S, b: S): S;
  min(a: S, b: S): S;
}

export const numbers: Field<number> = {
  constant: (value) => value,
  sum: (terms) => terms.reduce((a, b) => a + b),
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
};
