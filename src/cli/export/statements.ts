import { literal } from "../../lp/kernels/wgsl_field.ts";
import { reduced, TooLong } from "../../lp/text/field.ts";
import type { Lanes } from "../../lp/text/masked.ts";

/** A scalar of the text, or four of them in lanes: the types that the preambles in text/ define. */
export interface Value {
  readonly type: "real" | "whole" | "mask";
  readonly text: string;
}

interface Statement {
  readonly text: string;
  /** The name whose value it sets, if it does nothing else. */
  readonly sets?: string;
  readonly reads: readonly string[];
}

const names = /\b[vs]\d+\b/g;

/** The body of a function in C as it grows. The same words are C over lanes and CUDA: types and functions are those of the preambles. */
export class Statements {
  private readonly all: Statement[] = [];
  private indent = "  ";

  /** @throws {TooLong} from the line on that is one too many. */
  constructor(private readonly most = Infinity) {}

  /** Its lines, without those whose values nobody reads: compilers warn of them. */
  lines(): string[] {
    let kept = this.all;
    for (;;) {
      const read = new Set(kept.flatMap(({ reads }) => reads));
      const left = kept.filter(({ sets }) => sets === undefined || read.has(sets));
      if (left.length === kept.length) return kept.map(({ text }) => text);
      kept = left;
    }
  }

  add(line: string): void {
    this.push({ text: line, reads: line.match(names) ?? [] });
  }

  /** A name for a value that does not change. */
  named(type: Value["type"], expression: string): Value {
    const text = `v${this.all.length}`;
    this.set(text, `const ${type} ${text}`, expression);
    return { type, text };
  }

  /** A name for one that does. */
  variable({ type, text: initial }: Value): Value {
    const text = `s${this.all.length}`;
    this.set(text, `${type} ${text}`, initial);
    return { type, text };
  }

  assign({ text }: Value, { text: value }: Value): void {
    this.set(text, text, value);
  }

  block(head: string, body: () => void): void {
    this.add(`${head} {`);
    this.indent += "  ";
    body();
    this.indent = this.indent.slice(2);
    this.add("}");
  }

  private set(name: string, left: string, expression: string): void {
    this.push({ text: `${left} = ${expression};`, sets: name, reads: expression.match(names) ?? [] });
  }

  private push(statement: Statement): void {
    if (this.all.length >= this.most) throw new TooLong(this.most);
    this.all.push({ ...statement, text: this.indent + statement.text });
  }
}

/** What lanes and threads have in common: everything but control flow. */
export type Arithmetic = Omit<Lanes<Value>, "everywhere" | "register" | "ifAny" | "whileAny">;

const real = (text: string): Value => ({ type: "real", text });
const whole = (text: string): Value => ({ type: "whole", text });
const zeros = new Set(["real(0.0f)", "whole(0)"]);
const isZero = ({ text }: Value) => zeros.has(text);

export function arithmetic(statements: Statements): Arithmetic {
  const infix = (a: Value, operator: string, b: Value) =>
    statements.named(a.type, isZero(a) && operator === "-" ? `-${b.text}` : `${a.text} ${operator} ${b.text}`);
  const call = (name: string, type: Value["type"], ...args: readonly Value[]) =>
    statements.named(type, `${name}(${args.map(({ text }) => text).join(", ")})`);
  return {
    constant: (value) => real(`real(${literal(value)}f)`),
    whole: (value) => whole(`whole(${value})`),
    sum(terms) {
      const kept = terms.filter((term) => !isZero(term));
      if (kept.length < 2) return kept[0] ?? terms[0];
      // In pairs, not one after the other: a machine overlaps them.
      const [first, ...others] = kept.map(({ text }) => text);
      const sum = reduced([first, ...others], (a, b) => `(${a} + ${b})`);
      return statements.named(kept[0].type, sum.slice(1, -1));
    },
    sub: (a, b) => infix(a, "-", b),
    mul: (a, b) => infix(a, "*", b),
    div: (a, b) => infix(a, "/", b),
    max: (a, b) => call(`max_${a.type}`, a.type, a, b),
    min: (a, b) => call(`min_${a.type}`, a.type, a, b),
    round: (a) => call("rounded", "whole", a),
    real: (a) => call("to_real", "real", a),
    quotient: (a, b) => call("quotient", "whole", a, b),
    less: (a, b) => statements.named("mask", `${a.text} < ${b.text}`),
    and: (a, b) => statements.named("mask", `${a.text} & ${b.text}`),
    select: (condition, yes, no) => call(`pick_${yes.type}`, yes.type, condition, yes, no),
  };
}
