import type { Field } from "../reference/field.ts";

/** Scalars that are names of f32 values in a shader: every operation appends a `let` to `lines`. */
export function wgslField(lines: string[]): Field<string> {
  const zero = literal(0);
  const named = (expression: string): string => {
    const name = `v${lines.length}`;
    lines.push(`let ${name} = ${expression};`);
    return name;
  };
  return {
    constant: literal,
    sum(terms) {
      const kept = terms.filter((term) => term !== zero);
      if (kept.length < 2) return kept[0] ?? zero;
      return named(kept.join(" + "));
    },
    sub: (a, b) => named(a === zero ? `-${b}` : `${a} - ${b}`),
    mul: (a, b) => named(`${a} * ${b}`),
    div: (a, b) => named(`${a} / ${b}`),
    max: (a, b) => named(`max(${a}, ${b})`),
    min: (a, b) => named(`min(${a}, ${b})`),
  };
}

/** A number as WGSL writes an f32. */
export function literal(value: number): string {
  const text = String(Math.fround(value));
  return `${/[.e]/.test(text) ? text : `${text}.0`}`;
}
