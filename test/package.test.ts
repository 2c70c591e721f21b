import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import packageJson from "../package.json";
import { documents, linksOf } from "./helpers/documents.ts";

const root = new URL("../", import.meta.url);
const load = (path: string) => import(/* @vite-ignore */ new URL(path, root).href);

test("the browser bundle imports nothing", () => {
  const source = readFileSync(new URL("dist/browser.js", root), "utf8");
  expect(source).not.toMatch(/^\s*import\b|^export .*\bfrom\b|\bimport\(|\brequire\(|["']node:/m);
});

test("the browser bundle runs, and offers what the Node bundle offers", async () => {
  const [browser, node] = await Promise.all([load("dist/browser.js"), load("dist/node.js")]);
  expect(Object.keys(browser)).toEqual(Object.keys(node));
  await expect(browser.requestDevice()).rejects.toThrow("No WebGPU adapter. navigator.gpu: this browser has none.");
});

test("npm packs what package.json points to, the documents with all that they lead to, and none of the sources", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, stdio: "pipe" });
  const packed: string[] = JSON.parse(output.toString())[0].files.map(({ path }: { path: string }) => path);
  const { types, browser, default: node } = packageJson.exports["."];
  for (const path of [types, browser, node, packageJson.bin.evenkeel]) expect(packed).toContain(path.replace("./", ""));
  const outside = packed.filter((path) => !path.startsWith("dist/"));
  const pages = documents.map(({ path }) => path);
  expect(outside.sort()).toEqual([...pages, "CHANGELOG.md", "LICENSE", "package.json"].sort());
  const links = documents.flatMap((document) => linksOf(document));
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter(({ file }) => !packed.includes(file))).toEqual([]);
});

test("nothing is installed beside the package", () => {
  expect(packageJson).not.toHaveProperty("dependencies");
});
