import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import packageJson from "../package.json";
import { documents, linksOf } from "./helpers/documents.ts";

const root = new URL("../", import.meta.url);
const load = (path: string) => import(/* @vite-ignore */ new URL(path, root).href);

const browserFiles = readdirSync(new URL("dist/", root)).filter((file) => /browser.*\.js$/.test(file));

test.each(browserFiles)("%s imports nothing but chunks that lie beside it", (file) => {
  const source = readFileSync(new URL(`dist/${file}`, root), "utf8");
  expect(source).not.toMatch(/\brequire\(|["']node:/);
  const imported = [
    ...source.matchAll(/^\s*(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^\s*import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ].map(([, from, alone, onUse]) => from ?? alone ?? onUse);
  expect(imported.length, "imports of other names").toBe([...source.matchAll(/\bimport\(|\bfrom "/g)].length);
  for (const chunk of imported) {
    expect(chunk).toMatch(/^\.\/browser_chunk_\w+\.js$/);
    expect(browserFiles).toContain(chunk.slice(2));
  }
});

test("there are two entries and a chunk that they share", () => expect(browserFiles.length).toBeGreaterThanOrEqual(3));

test.each([
  ["browser.js", "node.js"],
  ["serving_browser.js", "serving_node.js"],
])("%s runs, and offers what %s offers", async (inBrowsers, inNode) => {
  const [browser, node] = await Promise.all([load(`dist/${inBrowsers}`), load(`dist/${inNode}`)]);
  expect(Object.keys(browser)).toEqual(Object.keys(node));
});

test("the browser bundle asks the browser for its GPU", async () => {
  const browser = await load("dist/browser.js");
  await expect(browser.requestDevice()).rejects.toThrow("No WebGPU adapter. navigator.gpu: this browser has none.");
});

test.each(["node", "browser"])("both entries have one EvenkeelError and one Placement: %s", async (platform) => {
  const [core, serving] = await Promise.all([load(`dist/${platform}.js`), load(`dist/serving_${platform}.js`)]);
  for (const name of ["EvenkeelError", "ArgumentError", "ShapeError", "Placement"]) {
    expect(serving[name], name).toBeTypeOf("function");
    expect(serving[name] === core[name], name).toBe(true);
  }
  expect(new serving.PolicyError("a policy", "lost", 0, 0, "what")).toBeInstanceOf(core.EvenkeelError);
});

test("npm packs what package.json points to, the documents with all that they lead to, and none of the sources", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, stdio: "pipe" });
  const packed: string[] = JSON.parse(output.toString())[0].files.map(({ path }: { path: string }) => path);
  const entries = [packageJson.exports["."], packageJson.exports["./serving"]].flatMap((entry) => Object.values(entry));
  for (const path of [...entries, packageJson.bin.evenkeel]) expect(packed).toContain(path.replace("./", ""));
  const outside = packed.filter((path) => !path.startsWith("dist/"));
  const pages = documents.map(({ path }) => path);
  expect(outside.sort()).toEqual([...pages, "CHANGELOG.md", "LICENSE", "docs/playground.png", "package.json"].sort());
  const links = documents.flatMap((document) => linksOf(document));
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter(({ file }) => !packed.includes(file))).toEqual([]);
});

test("nothing is installed beside the package", () => {
  expect(packageJson).not.toHaveProperty("dependencies");
});
