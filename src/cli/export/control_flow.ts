import type { Code } from "../../lp/text/field.ts";
import { masked } from "../../lp/text/masked.ts";
import { arithmetic, type Statements, type Value } from "./statements.ts";

/** Four LPs in lanes, branches as masks. */
export function lanes(statements: Statements): Code<Value, Value> {
  const any = ({ text }: Value) => `any(${text})`;
  return masked<Value>({
    ...arithmetic(statements),
    everywhere: () => ({ type: "mask", text: "whole(-1)" }),
    register: (initial) => variable(statements, initial),
    ifAny: (mask, body) => statements.block(`if (${any(mask)})`, body),
    whileAny: (head, body) =>
      statements.block("for (;;)", () => {
        statements.add(`if (!${any(head())}) break;`);
        body();
      }),
  });
}

/** One LP for each thread, branches as they are. */
export function thread(statements: Statements): Code<Value, Value> {
  return {
    ...arithmetic(statements),
    variable: (initial) => variable(statements, initial),
    when: ({ text }, body) => statements.block(`if (${text})`, body),
    loop: (condition, body) =>
      statements.block("for (;;)", () => {
        statements.add(`if (!${condition().text}) break;`);
        body();
      }),
  };
}

function variable(statements: Statements, initial: Value) {
  const name = statements.variable(initial);
  return {
    get: () => statements.named(name.type, name.text),
    set: (value: Value) => statements.assign(name, value),
  };
}
