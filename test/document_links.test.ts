/** Documents name what is there: pages and headings, paths, scripts, public names, rooms. */
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import packageJson from "../package.json";
import { type Document, documentAt, documents, linksOf, publicNames } from "./helpers/documents.ts";

const root = new URL("../", import.meta.url);
const list = (folder: string) => readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" });

test("README has at most 150 lines, and leads to every page", () => {
  const { text } = documentAt("README.md");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  for (const { path } of documents) if (path !== "README.md") expect(text).toContain(`](${path})`);
});

/** The heading's name in a link, as GitHub makes it. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
const anchorsOf = ({ text }: Document) => [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));

function brokenLinks(document: Pick<Document, "path" | "text">): string[] {
  const broken = linksOf(document).filter(({ file, heading }) => {
    if (!existsSync(new URL(file, root))) return true;
    const page = documents.find((one) => one.path === file);
    return heading !== undefined && !(page && anchorsOf(page).includes(heading));
  });
  return broken.map(({ file, heading }) => (heading === undefined ? file : `${file}#${heading}`));
}

const tops = ["bench", "docs", "examples", "scripts", "shaders", "src", "test", "tools"];
const generated = ["docs/reference/"];
/** All files and folders of the repository that a document may name, folders with a slash. */
const there = tops.flatMap((top) => {
  const files = list(top)
    .filter((file) => !file.includes("node_modules"))
    .map((file) => `${top}/${file}`);
  return [`${top}/`, ...files, ...files.map((file) => `${file}/`)];
});
const pathPattern = new RegExp(`(?<![\\w./-])(?:${tops.join("|")})/[\\w./*-]*`, "g");

/** Paths in prose and commands that lead nowhere. A word in capitals, or a star, stands for any name. */
function brokenPaths({ text }: Pick<Document, "text">): string[] {
  const named = [...text.matchAll(pathPattern)].map(([path]) => path.replace(/\.$/, ""));
  return named.filter((path) => {
    if (generated.includes(path)) return false;
    const any = path.replaceAll(".", "\\.").replaceAll(/\*|\b[A-Z]{2,}\b/g, "[\\w-]+");
    const whole = new RegExp(`^${any}$`);
    return !there.some((known) => whole.test(known));
  });
}

describe.each(documents.map((one) => [one.path, one] as const))("%s", (_, document) => {
  test("links lead to pages and headings", () => expect(brokenLinks(document)).toEqual([]));

  test("paths are those of today", () => expect(brokenPaths(document)).toEqual([]));

  test("npm's scripts are there", () => {
    const named = [...document.text.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script]) => script);
    expect(named.filter((script) => !(script in packageJson.scripts))).toEqual([]);
  });
});

test("links and paths that lead nowhere are found", () => {
  const text =
    "[a](docs/none.md) [b](docs/api.md#none) [c](#none) [d](docs/api.md#devices) `src/problem.ts`, test/lp/kernels/STEM.test.ts src/none/STEM.ts.";
  const document = { path: "README.md", text };
  expect(brokenLinks(document)).toEqual(["docs/none.md", "docs/api.md#none", "README.md#none"]);
  expect(brokenPaths(document)).toEqual(["docs/none.md", "src/problem.ts", "src/none/STEM.ts"]);
  const all = documents.map(({ text }) => text).join("\n");
  expect(all.match(pathPattern)!.length).toBeGreaterThan(60);
});

test.each([
  ["index", "| what | names | where |", 70],
  ["serving", "| what, in evenkeel/serving | names | where |", 20],
] as const)("api.md says where every public name of src/%s.ts is explained, and no other", (entry, heading, least) => {
  const names = publicNames(entry);
  const [, table] = documentAt("docs/api.md").text.split(heading);
  const rows = table.slice(0, table.indexOf("\n\n")).split("\n").slice(2);
  const explained = rows.flatMap((row) => row.split("|")[2].match(/\w+/g)!);
  expect(names.length).toBeGreaterThan(least);
  expect(explained.sort()).toEqual(names.sort());
});

test("internals.md has the rooms, and no others", () => {
  const [, table] = documentAt("docs/internals.md").text.split("| room | what it knows | stands on |");
  const rooms = [...table.matchAll(/^\| `src\/(\w+)\/` \|/gm)].map(([, room]) => room);
  const folders = readdirSync(new URL("src/", root), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(rooms.sort()).toEqual(folders.map(({ name }) => name).sort());
});
