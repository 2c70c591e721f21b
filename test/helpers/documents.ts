/** README, CONTRIBUTING and the pages of docs/, and what stands in them to be run. */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect } from "vitest";

const root = new URL("../../", import.meta.url);

export interface Document {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** A fenced block. */
export interface Block {
  /** What stands behind the fence: "ts", "json problem.json", or nothing. */
  readonly info: string;
  /** Its lines, without the fences, each with its end. */
  readonly content: string;
  /** Where the fence begins and ends in the text. */
  readonly start: number;
  readonly end: number;
  /** The line of the fence, from 1. */
  readonly line: number;
}

function documentOf(path: string): Document {
  const text = readFileSync(new URL(path, root), "utf8");
  const blocks = [...text.matchAll(/^```(.*)\n((?:.*\n)*?)```$/gm)].map(({ 0: all, 1: info, 2: content, index }) => ({
    ...{ info, content, start: index, end: index + all.length },
    line: text.slice(0, index).split("\n").length,
  }));
  return { path, text, blocks };
}

const pages = readdirSync(new URL("docs/", root)).filter((name) => name.endsWith(".md"));
export const documents = ["README.md", "CONTRIBUTING.md", ...pages.map((name) => `docs/${name}`)].map(documentOf);

export function documentAt(path: string): Document {
  return documents.find((one) => one.path === path)!;
}

/** Its links within the repository: files relative to that, and the names of headings. */
export function linksOf({
  path,
  text,
}: Pick<Document, "path" | "text">): { file: string; heading: string | undefined }[] {
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link);
  return links
    .filter((link) => !/^https?:/.test(link))
    .map((link) => {
      const [file, heading] = link.split("#");
      return { file: file === "" ? path : posix.join(posix.dirname(path), file), heading };
    });
}

/** A program, and what it prints: the block without a name that follows it. */
export interface Program {
  readonly title: string;
  readonly source: string;
  readonly output: string | undefined;
}

export const programs: readonly Program[] = documents.flatMap(({ path, blocks }) =>
  blocks.flatMap(({ info, content, line }, i) => {
    const next = blocks[i + 1];
    const output = next?.info === "" ? next.content : undefined;
    return info === "ts" ? [{ title: `${path}, line ${line}`, source: content, output }] : [];
  }),
);

/** A command of the command line, and lines that it prints: those of the block without a name that its paragraph leads to. */
export interface Command {
  /** As it stands there, without `npx evenkeel`. */
  readonly words: string;
  readonly args: readonly string[];
  /** The file that its output goes to. */
  readonly into: string | undefined;
  /** Whether a reader has to put something in the place of a word in capitals. */
  readonly pattern: boolean;
  readonly shown: readonly string[] | undefined;
}

export function commandsOf({ text, blocks }: Document): Command[] {
  return [...text.matchAll(/`npx evenkeel ([^`]+)`/g)].map((match) => {
    const [args, into] = match[1].split(" > ");
    const end = match.index + match[0].length;
    const block = blocks.find(({ start }) => start > end);
    const between = text.slice(end, block?.start ?? end);
    const leads = block?.info === "" && between.endsWith(":\n\n") && !between.includes("`npx evenkeel ");
    return {
      words: match[1],
      args: args.split(" "),
      into,
      pattern: /\b[A-Z]{2,}\b/.test(args),
      shown: leads ? block.content.trimEnd().split("\n") : undefined,
    };
  });
}

/** Files that a document shows whole: blocks whose name is followed by the file's. */
export function filesOf({ blocks }: Document): { name: string; content: string }[] {
  return blocks.flatMap(({ info, content }) => {
    const name = info.split(" ")[1];
    return name === undefined ? [] : [{ name, content }];
  });
}

/** What an entry of the package exports, types too. */
export function publicNames(entry: "index" | "serving"): string[] {
  const source = readFileSync(new URL(`src/${entry}.ts`, root), "utf8");
  const exported = [...source.matchAll(/\{([^}]*)\}/g)].flatMap(([, names]) => names.split(","));
  return exported.map((name) => name.replace("type ", "").trim()).filter(Boolean);
}

/** Every line that is not "..." is a line of the output. */
export function expectShown(lines: readonly string[], stdout: string): void {
  const printed = new Set(stdout.split("\n").map((line) => line.trimEnd()));
  expect(lines.length).toBeGreaterThan(2);
  expect(lines.filter((line) => line !== "..." && !printed.has(line))).toEqual([]);
}

/** Says what is missing, rather than the whole of a document. */
export function expectIn(path: string, passage: string): void {
  const { text } = documentAt(path);
  expect(text.includes(passage) || text.replaceAll("\n", " ").includes(passage) ? "" : passage, path).toBe("");
}
