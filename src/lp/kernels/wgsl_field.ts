import { type Code, TooLong } from "../text/field.ts";

/**
 * Scalars that are names of values in a shader: every operation appends a `let` to `lines`, up to `most`. Conditions are expressions of WGSL.
 */
export function wgslField(lines: string[], most = Infinity): Code<string, string> {
  const named = (expression: string): string => {
    if (lines.length >= most) throw new TooLong(most);
    const name = `v${lines.length}`;
    lines.push(`let ${name} = ${expression};`);
    return name;
  };
  const block = (head: string, body: () => void) => {
    lines.push(`${head} {`);
    body();
    lines.push("}");
  };
  const isZero = (term: string) => term === literal(0) || term === "0";
  return {
    constant: literal,
    sum(terms) {
      const kept = terms.filter((term) => !isZero(term));
      if (kept.length < 2) return kept[0] ?? terms[0];
      return named(kept.join(" + "));
    },
    sub: (a, b) => named(isZero(a) ? `-${b}` : `${a} - ${b}`),
    mul: (a, b) => named(`${a} * ${b}`),
    div: (a, b) => named(`${a} / ${b}`),
    max: (a, b) => named(`max(${a}, ${b})`),
    min: (a, b) => named(`min(${a}, ${b})`),
    whole: String,
    round: (real) => named(`i32(${real} + 0.5)`),
    real: (whole) => named(`f32(${whole})`),
    quotient: (a, b) => named(`${a} / ${b}`),
    less: (a, b) => `(${a} < ${b})`,
    and: (a, b) => `(${a} && ${b})`,
    select: (condition, yes, no) => named(`select(${no}, ${yes}, ${condition})`),
    variable(initial) {
      const name = `s${lines.length}`;
      lines.push(`var ${name} = ${initial};`);
      return {
        get: () => named(name),
        set(value) {
          lines.push(`${name} = ${value};`);
        },
      };
    },
    when: (condition, body) => block(`if ${condition}`, body),
    loop: (condition, body) =>
      block("loop", () => {
        const more = condition();
        lines.push(`if !${more} { break; }`);
        body();
      }),
  };
}

/** A number as WGSL writes an f32. */
export function literal(value: number): string {
  const text = String(Math.fround(value));
  return `${/[.e]/.test(text) ? text : `${text}.0`}`;
}
