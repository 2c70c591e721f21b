/** What `npm run site` builds, as far as no browser is needed to see it; tools/site has the rest. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { themes } from "../src/cli/print/page_style.ts";

const root = new URL("../", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "evenkeel-site-"));
afterAll(() => rmSync(folder, { recursive: true }));
const printed = execFileSync(process.execPath, ["scripts/site.mjs", folder], { cwd: root, encoding: "utf8" });

const files = readdirSync(folder);
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const pages = files.filter((file) => file.endsWith(".html"));
const digest = (content: string) => createHash("sha256").update(content).digest("hex");

test("three pages, of at most 1 MB in gzip with all that they load, and the build says so", () => {
  expect(pages).toEqual(["benchmark.html", "index.html", "what_if.html"]);
  const bytes = files.map((file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length);
  const total = bytes.reduce((sum, size) => sum + size, 0);
  expect(total).toBeLessThanOrEqual(1_000_000);
  expect(printed).toContain(`${(total / 1000).toFixed(1)} kB in gzip`);
});

test("pages name only files that are there", () => {
  for (const page of pages) {
    const named = [...read(page).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    const outside = named.filter((path) => path !== "data:," && !files.includes(path)); // data: no icon is asked for
    expect(outside, page).toEqual([]);
    expect(named.length, page).toBe(3);
  }
});

test("scripts import only files that are there", () => {
  const imported = files
    .filter((file) => file.endsWith(".js"))
    .flatMap((file) => [...read(file).matchAll(/(?:from|import)\s*\(?"\.\/([^"]+)"/g)].map(([, path]) => path));
  expect(imported.length).toBeGreaterThan(0);
  expect(imported.filter((path) => !files.includes(path))).toEqual([]);
});

test("the service worker keeps every file but itself", () => {
  const [list] = read("service_worker.js").match(/\["[^\]]*"\]/)!;
  expect(JSON.parse(list)).toEqual(files.filter((file) => file !== "service_worker.js").sort());
});

test("the same sources make the same files, hence the same version", () => {
  const again = mkdtempSync(join(tmpdir(), "evenkeel-site-"));
  try {
    execFileSync(process.execPath, ["scripts/site.mjs", again], { cwd: root });
    expect(readdirSync(again)).toEqual(files);
    for (const file of files) expect(digest(readFileSync(join(again, file), "utf8")), file).toBe(digest(read(file)));
  } finally {
    rmSync(again, { recursive: true });
  }
  const versions = [...read("service_worker.js").matchAll(/"([0-9a-f]{16})"/g)];
  expect(versions).toHaveLength(1);
});

test("nothing names another origin: only namespaces are addresses, and every page forbids the rest", () => {
  const addresses = files
    .filter((file) => !file.endsWith(".txt"))
    .flatMap((file) =>
      (read(file).match(/\b(?:https?|wss?):\/\/[^\s"'`)\\<]*/g) ?? []).map((url) => `${file}: ${url}`),
    );
  expect(addresses.filter((line) => !/: http:\/\/www\.w3\.org\//.test(line))).toEqual([]);
  for (const page of pages) {
    const policy = read(page).match(/Content-Security-Policy" content="([^"]+)"/)?.[1];
    expect(policy, page).toContain("default-src 'none'");
    expect(policy, page).toContain("connect-src 'self'");
    expect(policy, page).toBe(read(pages[0]).match(/Content-Security-Policy" content="([^"]+)"/)?.[1]);
  }
});

test("colours are those of the reports", () => {
  for (const page of pages) {
    const css = read(read(page).match(/href="([^"]+\.css)"/)![1]);
    for (const { page: ground, text } of [themes.light, themes.dark]) {
      for (const colour of [ground, text]) expect(css, colour).toMatch(new RegExp(minified(colour)));
    }
  }
});

test("bundled packages bring their licences", () => {
  expect(read("THIRD_PARTY_LICENSES.txt")).toContain("preact\n\nThe MIT License");
});

/** "#ffffff" may have become "#fff". */
function minified(colour: string): string {
  const short = colour.replace(/^#(.)\1(.)\2(.)\3$/, "#$1$2$3");
  return `${colour}|${short}`;
}
