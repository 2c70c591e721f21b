/** Reads shaders as far as their headers speak of them: what they declare, what they use, and the figures they state. */
import { readdirSync, readFileSync } from "node:fs";

export interface Shader {
  /** Relative to shaders/. */
  readonly path: string;
  /** The folder that it lies in: lp, balancer or common. */
  readonly room: string;
  /** Its file's name without ending. */
  readonly stem: string;
  readonly text: string;
  /** The comment at the top, without its marks. */
  readonly header: string;
  /** The text without comments. */
  readonly code: string;
  /** Names declared at module scope. */
  readonly declares: ReadonlySet<string>;
  /** Names used that the file does not declare; WGSL's own among them. */
  readonly uses: ReadonlySet<string>;
}

const folder = new URL("../../shaders/", import.meta.url);

function readShader(path: string): Shader {
  const text = readFileSync(new URL(path, folder), "utf8");
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  const header = lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ""));
  const stem = /(\w+)\.wgsl$/.exec(path)![1];
  return { path, room: path.split("/")[0], stem, text, header: header.join("\n"), ...analysed(text) };
}

const shaders = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".wgsl"))
  .sort()
  .map(readShader);
export const kernels = shaders.filter(({ code }) => code.includes("@compute"));
/** Parts of kernels. */
export const fragments = shaders.filter((shader) => !kernels.includes(shader));

/** A part of a header: the text after its keyword, up to the next keyword. */
export function section({ header }: Shader, keyword: string): string | undefined {
  const found = new RegExp(`^${keyword} +(.*(?:\\n {4,}.*)*)`, "m").exec(header);
  return found?.[1].replaceAll(/\s+/g, " ");
}

/** What a text declares at module scope, and what else it names. */
export function analysed(text: string): Pick<Shader, "code" | "declares" | "uses"> {
  const code = text.replaceAll(/\/\/.*$/gm, "");
  const all = declarations(code);
  const declares = new Set(all.map(({ name }) => name));
  const uses = new Set<string>();
  for (const { rest } of all) {
    // Its own parameters, fields and variables: names before a colon, or after let, var and const.
    const own = [...rest.matchAll(/\b(?:let|var|const)\s+(\w+)|(\w+)\s*:/g)].map((match) => match[1] ?? match[2]);
    for (const [, name] of rest.matchAll(/(?<![\w.])([A-Za-z_]\w*)/g)) {
      if (!own.includes(name) && !declares.has(name)) uses.add(name);
    }
  }
  return { code, declares, uses };
}

function declarations(code: string): { name: string; rest: string }[] {
  const found: { name: string; rest: string }[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < code.length; i++) {
    if (code[i] === "{") depth++;
    if (code[i] === "}") depth--;
    if (depth > 0 || (code[i] !== ";" && code[i] !== "}")) continue;
    const text = code.slice(start, i + 1);
    start = i + 1;
    const head = /(?:^|[\s)])(?:fn|struct|const|override|var(?:<[^>]*>)?)\s+(\w+)/.exec(text);
    if (head) found.push({ name: head[1], rest: text.slice(head.index + head[0].length) });
  }
  return found;
}

/** A formula as headers and docs/internals.md write them, "4 (E + P) + 2,320": what stands side by side is multiplied. */
export function figure(formula: string, values: Record<string, number>): number {
  const expression = formula
    .replaceAll(/(?<=\d),(?=\d{3})/g, "")
    .replaceAll(/(?<=[\w)²]) (?=[\w(])/g, " * ")
    .replaceAll("²", " ** 2")
    .replaceAll(/[A-Za-z_]\w*/g, (name) => (name === "ceil" ? "Math.ceil" : String(values[name])));
  const value = new Function(`return ${expression};`)();
  if (!Number.isFinite(value)) throw new Error(`${formula}: ${expression} is ${value}`);
  return value;
}
