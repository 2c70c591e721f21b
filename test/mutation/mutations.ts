/** Small faults that a test should notice: each changes one place of a source, TypeScript or WGSL. */

export interface Mutation {
  /** Relative to the repository. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What was done, "< to <=". */
  readonly what: string;
  /** The line before and after, without indentation. */
  readonly before: string;
  readonly after: string;
  /** The whole file, mutated. */
  readonly text: string;
}

/** Operators have spaces around them, which tells them from generics, pointers and arrows. */
const operators: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "===",
  "==": "!=",
  "!=": "==",
  "&&": "||",
  "||": "&&",
  "&&=": "||=",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "+=": "-=",
  "-=": "+=",
};
const words: Readonly<Record<string, string>> = {
  true: "false",
  false: "true",
  "min(": "max(",
  "max(": "min(",
  "floor(": "ceil(",
  "ceil(": "floor(",
  "every(": "some(",
  "some(": "every(",
};
/** Beyond, a number is a limit: one more or less is the same to anybody, but 1 is not. */
const LARGE = 64;

/** A line that is one statement whose result is nobody's: an assignment or a call. */
const statement = /^[\w.$[\]*(][^=;{}]*(?:(?<![=!<>])(?:[-+*/|&^]|&&|\|\||\?\?|<<|>>)?=(?!=)[^;]*|\));$/;
const declaration = /^(?:const|let|var|import|export|return|throw|type|interface|override|fn|case|default)\b/;
/** A line that leaves early, or skips what follows. */
const guard = /^if .*(?:return\b[^;{}]*|throw\b.*|continue|break);(?: \})?$/;
const block = /^(?:\} else )?if \((.*)\) \{$/;

/** Every mutation of a source. */
export function mutationsOf(file: string, source: string): Mutation[] {
  const found: Mutation[] = [];
  const isWgsl = file.endsWith(".wgsl");
  const code = isWgsl ? withoutDeclarations(source) : withoutTypes(source);
  const add = (at: number, length: number, replacement: string, what: string) => {
    const text = source.slice(0, at) + replacement + source.slice(at + length);
    const line = source.slice(0, at).split("\n").length;
    const lineOf = (of: string) => (of.split("\n")[line - 1] ?? "").trim();
    found.push({ file, line, what, before: lineOf(source), after: lineOf(text), text });
  };
  for (const { 0: spaced, 1: from, index } of code.matchAll(/(?<= )([-<>=!&|+*/]{1,3})(?= )/g)) {
    const to = operators[from];
    // A typed array is not changed beyond its end.
    const harmless =
      !isWgsl && from === "<" && /for \(let \w+ = [^;]*; \w+ $/.test(code.slice(0, index).split("\n").at(-1)!);
    if (to && !harmless) add(index, spaced.length, to, `${from} to ${to}`);
  }
  for (const { 0: from, index } of code.matchAll(/\b(?:true\b|false\b|(?:min|max|floor|ceil|every|some)\()/g)) {
    add(index, from.length, words[from], `${from} to ${words[from]}`);
  }
  for (const { index } of code.matchAll(/(?<![\w)\]!])!(?=[\w(])/g)) add(index, 1, "", "no !");
  for (const { 0: number, index } of code.matchAll(/(?<![\w.-])\d+(?=u?\b)(?!\.?\d|\.\w|e)/g)) {
    const value = Number(number);
    const others = value > LARGE ? [1] : value === 0 ? [1] : [value + 1, value - 1];
    for (const other of others) add(index, number.length, String(other), `${number} to ${other}`);
  }
  for (const { 0: whole, 1: no, 2: yes, index } of code.matchAll(/select\(([\w.]+), ([\w.]+), /g)) {
    add(index, whole.length, `select(${yes}, ${no}, `, "select swapped");
    add(index, whole.length, `select(${yes}, ${yes}, `, "select always");
  }
  let at = 0;
  for (const line of code.split("\n")) {
    const text = line.trim();
    const start = at + line.indexOf(text);
    if (guard.test(text)) add(start, text.length, "", "guard removed");
    else if (statement.test(text) && !declaration.test(text) && isBalanced(text))
      add(start, text.length, "", "statement removed");
    const condition = block.exec(text)?.[1];
    if (condition) add(start + text.indexOf(condition), condition.length, "false", "condition to false");
    at += line.length + 1;
  }
  return found;
}

function isBalanced(text: string): boolean {
  const count = (of: string) => text.split(of).length;
  return count("(") === count(")") && count("[") === count("]") && count("{") === count("}");
}

const blank = (text: string) => text.replaceAll(/[^\n]/g, "_");
const spaces = (text: string) => text.replaceAll(/[^\n]/g, " ");

/** WGSL without comments and without what the host or the layout decides, at the same places. */
function withoutDeclarations(source: string): string {
  return source
    .replaceAll(/\/\/.*/g, spaces)
    .replaceAll(/^(?:const AT_.*|@.*| {2}@builtin.*|override .*|struct [\s\S]*?\n\}|var<.*)$/gm, blank);
}

/** TypeScript without comments, strings, regular expressions and types, at the same places. */
function withoutTypes(source: string): string {
  return withoutProse(source)
    .replaceAll(/^(?:import|export type|type|export \{)[\s\S]*?;$/gm, blank)
    .replaceAll(/^(?:export )?interface [\s\S]*?^\}/gm, blank);
}

function withoutProse(source: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|(?<=[(,=:[!&|?{;] ?)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+\/[a-z]*|[`{}]/g;
  let text = "";
  let at = 0;
  const open: ("{" | "${")[] = []; // braces, of which some lead back into a template
  /** Blanks the rest of a template from `from`, up to its end or the next ${. */
  const template = (from: number): number => {
    let i = from;
    while (i < source.length && source[i] !== "`" && !source.startsWith("${", i)) i += source[i] === "\\" ? 2 : 1;
    if (source[i] === "$") open.push("${");
    const end = source[i] === "$" ? i + 2 : i + 1;
    text += blank(source.slice(from, end));
    return end;
  };
  for (;;) {
    token.lastIndex = at;
    const match = token.exec(source);
    if (!match) return text + source.slice(at);
    const [found] = match;
    text += source.slice(at, match.index);
    at = match.index + found.length;
    if (found === "`") {
      text += "_";
      at = template(at);
    } else if (found === "}" && open.pop() === "${") {
      text += "_";
      at = template(at);
    } else if (found === "{" || found === "}") {
      if (found === "{") open.push("{");
      text += found;
    } else text += found.startsWith("/*") || found.startsWith("//") ? spaces(found) : blank(found);
  }
}
