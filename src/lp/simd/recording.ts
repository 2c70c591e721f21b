/**
 * Lanes whose values are recorded instead of computed: a program, in order, to be written out once it is known which of its values are used,
 * and until when.
 */
import { summed, TooLong } from "../text/field.ts";
import type { Lanes } from "../text/masked.ts";

/** f32, i32, or a mask. */
export type Kind = "real" | "whole" | "mask";

/** A value that is computed once, or a register. */
export interface Value {
  readonly kind: Kind;
}

export type Operation =
  | ("add" | "sub" | "mul" | "div" | "min" | "max" | "negate")
  | ("less" | "and" | "select" | "round" | "toReal" | "quotient");

/** A column of rows in memory, one of each LP: row p begins at byte `start` + p `width`. */
export interface Column {
  readonly rows: Rows;
  readonly column: number;
}

export interface Rows {
  readonly start: number;
  /** Bytes of a row. */
  readonly width: number;
  /** Bytes of a column. */
  readonly unit: 1 | 4;
}

/**
 * "if" and "loop" last until their "end"; "leave" ends the loop that it is in where no lane is in its mask. "gather" and "scatter" read and
 * write a column, a lane in each of four rows; "load" and "store" what lies together in memory.
 */
export type Step =
  | { readonly is: "constant"; readonly to: Value; readonly value: number }
  | { readonly is: Operation | "copy"; readonly to: Value; readonly of: readonly Value[] }
  | { readonly is: "load"; readonly to: Value; readonly at: number }
  | { readonly is: "store"; readonly of: readonly Value[]; readonly at: number }
  | { readonly is: "gather"; readonly to: Value; readonly from: Column }
  | { readonly is: "scatter"; readonly of: readonly Value[]; readonly into: Column }
  | { readonly is: "if" | "leave"; readonly of: readonly Value[] }
  | { readonly is: "loop" | "end" | "call" };

export interface Recording extends Lanes<Value> {
  readonly steps: readonly Step[];
  /** Whole numbers of each LP. */
  gather(rows: Rows, column: number): Value;
  scatter(rows: Rows, column: number, value: Value): void;
  /** All lanes of a whole number, from a byte on. */
  load(at: number): Value;
  store(at: number, value: Value): void;
  /** Lets the host read and write memory. */
  call(): void;
}

/** A recording of so many steps at most, beyond which it throws TooLong. */
export function recording(most: number): Recording {
  const steps: Step[] = [];
  const zeros = new Set<Value>();
  const record = (step: Step): void => {
    if (steps.length >= most) throw new TooLong(most);
    steps.push(step);
  };
  const constant = (kind: Kind, value: number): Value => {
    const to = { kind };
    record({ is: "constant", to, value });
    if (value === 0) zeros.add(to);
    return to;
  };
  const compute = (is: Operation | "copy", kind: Kind, ...of: Value[]): Value => {
    const to = { kind };
    record({ is, to, of });
    return to;
  };
  const add = (a: Value, b: Value) => compute("add", a.kind, a, b);
  return {
    steps,
    constant: (value) => constant("real", value),
    whole: (value) => constant("whole", value),
    everywhere: () => constant("mask", -1),
    sum: (terms) => summed(terms, (term) => zeros.has(term), add),
    sub: (a, b) => (zeros.has(a) ? compute("negate", b.kind, b) : compute("sub", a.kind, a, b)),
    mul: (a, b) => compute("mul", a.kind, a, b),
    div: (a, b) => compute("div", a.kind, a, b),
    max: (a, b) => compute("max", a.kind, a, b),
    min: (a, b) => compute("min", a.kind, a, b),
    round: (real) => compute("round", "whole", real),
    real: (whole) => compute("toReal", "real", whole),
    quotient: (a, b) => compute("quotient", "whole", a, b),
    less: (a, b) => compute("less", "mask", a, b),
    and: (a, b) => compute("and", "mask", a, b),
    select: (mask, yes, no) => compute("select", yes.kind, mask, yes, no),
    register(initial) {
      const register = compute("copy", initial.kind, initial);
      return {
        get: () => compute("copy", register.kind, register),
        set: (value) => record({ is: "copy", to: register, of: [value] }),
      };
    },
    ifAny(mask, body) {
      record({ is: "if", of: [mask] });
      body();
      record({ is: "end" });
    },
    whileAny(head, body) {
      record({ is: "loop" });
      record({ is: "leave", of: [head()] });
      body();
      record({ is: "end" });
    },
    gather(rows, column) {
      const to: Value = { kind: "whole" };
      record({ is: "gather", to, from: { rows, column } });
      return to;
    },
    scatter: (rows, column, value) => record({ is: "scatter", of: [value], into: { rows, column } }),
    load(at) {
      const to: Value = { kind: "whole" };
      record({ is: "load", to, at });
      return to;
    },
    store: (at, value) => record({ is: "store", of: [value], at }),
    call: () => record({ is: "call" }),
  };
}

/** The steps that what is stored and where it branches depend on. */
export function usedSteps(steps: readonly Step[]): Step[] {
  const needed = new Set<Value>();
  const used = new Array<boolean>(steps.length).fill(false);
  // From the end, as what a step needs comes before it; but for a register, which a loop sets after it was read: then once more.
  for (let before = -1; before !== needed.size; ) {
    before = needed.size;
    for (let at = steps.length - 1; at >= 0; at--) {
      const step = steps[at];
      if (used[at] || ("to" in step && !needed.has(step.to))) continue;
      used[at] = true;
      if ("of" in step) for (const value of step.of) needed.add(value);
    }
  }
  return steps.filter((_, at) => used[at]);
}

/** Per step, the values that are not used after it. What was there before a loop and is used in it is kept until the loop's end. */
export function lastUses(steps: readonly Step[]): Value[][] {
  const born = new Map<Value, number>();
  const last = new Map<Value, number>();
  const open: { first: number; older: Set<Value> | undefined }[] = [];
  for (const [at, step] of steps.entries()) {
    if (step.is === "loop") open.push({ first: at, older: new Set() });
    if (step.is === "if") open.push({ first: at, older: undefined });
    const touched = [...("of" in step ? step.of : []), ...("to" in step ? [step.to] : [])];
    for (const value of touched) {
      if (!born.has(value)) born.set(value, at);
      last.set(value, at);
      for (const { first, older } of open) if (born.get(value)! < first) older?.add(value);
    }
    if (step.is === "end") for (const value of open.pop()!.older ?? []) last.set(value, at);
  }
  const ending: Value[][] = steps.map(() => []);
  for (const [value, at] of last) ending[at].push(value);
  return ending;
}
