/**
 * Scalars that know what they took: a text run on them does the work of one LP and tells how much that was, and how long the longest chain of
 * operations that wait for each other.
 */
import { type Code, summed } from "./field.ts";

/** A number or a condition. */
export interface Counted<T> {
  readonly value: T;
  /** Operations of the longest chain that it had to wait for, its own included; 0 of constants and of what is given. */
  readonly depth: number;
}

export type Operation =
  | ("add" | "sub" | "mul" | "div" | "min" | "max" | "round" | "real")
  | ("quotient" | "less" | "and" | "select");

export interface Work {
  /** How often each was done: a sum of n terms is n - 1 additions. What is known to be 0 is not added, variables and branches cost nothing. */
  readonly of: Readonly<Record<Operation, number>>;
  readonly operations: number;
  /** Of real and of whole numbers. */
  readonly divisions: number;
  /** The longest chain. The machine takes all that is ready at once, but guesses no branch: what comes after one waits for its condition. */
  readonly depth: number;
}

export interface Counter extends Code<Counted<number>, Counted<boolean>> {
  given(value: number): Counted<number>;
  /** So far. */
  work(): Work;
}

export function counter(): Counter {
  const of: Record<Operation, number> = {
    ...{ add: 0, sub: 0, mul: 0, div: 0, min: 0, max: 0, round: 0, real: 0 },
    ...{ quotient: 0, less: 0, and: 0, select: 0 },
  };
  const zeros = new Set<Counted<number>>();
  let depth = 0;
  /** Of the conditions so far. */
  let decided = 0;

  function compute<T>(operation: Operation, value: T, ...needed: readonly Counted<unknown>[]): Counted<T> {
    of[operation]++;
    const computed = { value, depth: 1 + Math.max(decided, ...needed.map((one) => one.depth)) };
    depth = Math.max(depth, computed.depth);
    return computed;
  }
  function given(value: number): Counted<number> {
    return { value, depth: 0 };
  }
  function constant(value: number): Counted<number> {
    const known = given(value);
    if (value === 0) zeros.add(known);
    return known;
  }
  function decide({ value, depth }: Counted<boolean>): boolean {
    decided = Math.max(decided, depth);
    return value;
  }
  type Number = Counted<number>;
  const add = (a: Number, b: Number) => compute("add", a.value + b.value, a, b);
  return {
    given,
    work() {
      const operations = Object.values(of).reduce((a, b) => a + b);
      return { of: { ...of }, operations, divisions: of.div + of.quotient, depth };
    },
    constant,
    whole: constant,
    sum: (terms) => summed(terms, (term) => zeros.has(term), add),
    sub: (a, b) => compute("sub", a.value - b.value, a, b),
    mul: (a, b) => compute("mul", a.value * b.value, a, b),
    div: (a, b) => compute("div", a.value / b.value, a, b),
    max: (a, b) => compute("max", Math.max(a.value, b.value), a, b),
    min: (a, b) => compute("min", Math.min(a.value, b.value), a, b),
    round: (a) => compute("round", Math.floor(a.value + 0.5), a),
    real: (a) => compute("real", a.value, a),
    quotient: (a, b) => compute("quotient", Math.trunc(a.value / b.value), a, b),
    less: (a, b) => compute("less", a.value < b.value, a, b),
    and: (a, b) => compute("and", a.value && b.value, a, b),
    select: (condition, yes, no) => compute("select", condition.value ? yes.value : no.value, condition, yes, no),
    variable(held) {
      return {
        get: () => ({ ...held }), // no constant: what a variable holds is not known to be 0
        set(next) {
          held = next;
        },
      };
    },
    when(condition, body) {
      if (decide(condition)) body();
    },
    loop(condition, body) {
      while (decide(condition())) body();
    },
  };
}
