/** docs/compatibility.md against what `npm run compat` does. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import compat from "../tools/compat/package.json";

const text = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const docs = text("docs/compatibility.md");
const hosts = text("tools/compat/hosts.mjs") + text("tools/compat/browsers.mjs");

test("the versions tried are those that are installed", () => {
  for (const [title, version] of [
    ["Deno", compat.dependencies.deno],
    ["Bun", compat.dependencies.bun],
  ]) {
    expect(docs).toContain(`| ${title} | ${version} |`);
  }
});

test("every runtime, pref, flag and variable of the run is told of, and no other pref", () => {
  const names = [...hosts.matchAll(/(?:commandLine|browser)\("(\w+)"/g)].map(([, name]) => name);
  expect(docs).toContain(`[${names.join(" | ")} ...]`);
  const prefs = (page: string) => new Set(page.match(/\b(?:dom|gfx)\.webgpu\.[\w-]+/g));
  expect(prefs(hosts).size).toBe(3);
  expect(prefs(docs)).toEqual(prefs(hosts));
  for (const flag of hosts.match(/--\w[\w-]*webgpu[\w-=]*/g)!) expect(docs).toContain(flag);
  expect(docs).toContain("`DENO_WEBGPU_BACKEND=vulkan`");
  expect(hosts).toContain(`DENO_WEBGPU_BACKEND: "vulkan"`);
});
