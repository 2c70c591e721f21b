import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { type Rollup, build as vite } from "vite";
import { afterAll, expect, test } from "vitest";

const root = new URL("../", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bundles-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A minified bundle for browsers, as a user's bundler makes it. */
const bundlers: Record<string, (entry: string) => Promise<string>> = {
  async esbuild(entry) {
    const options = { bundle: true, minify: true, format: "esm", platform: "browser", write: false } as const;
    return (await esbuild({ ...options, entryPoints: [entry] })).outputFiles[0].text;
  },
  async rollup(entry) {
    const rollupOptions = { input: entry, preserveEntrySignatures: "strict" as const };
    const made = await vite({
      root: folder,
      configFile: false,
      logLevel: "error",
      build: { write: false, rollupOptions },
    });
    return (made as Rollup.RollupOutput).output[0].code;
  },
};

/** Of a module that re-exports names of the published files. */
function bundled(bundler: string, names: string, ...files: string[]): Promise<string> {
  const entry = join(folder, "entry.js");
  const lines = files.map(
    (file, i) => `export ${names}${i === 0 ? "" : ` as another`} from ${JSON.stringify(`${root}dist/${file}`)};`,
  );
  writeFileSync(entry, lines.join("\n"));
  return bundlers[bundler](entry);
}

const gzippedKb = (code: string) => gzipSync(code).length / 1000;

test("everything takes at most 130 kB gzipped", async () => {
  const everything = await bundled("esbuild", "*", "browser.js");
  expect(everything).toContain("@compute");
  expect(gzippedKb(everything)).toBeLessThanOrEqual(130);
});

test("the serving lab takes at most 95 kB more", async () => {
  const core = await bundled("esbuild", "*", "browser.js");
  const both = await bundled("esbuild", "*", "browser.js", "serving_browser.js");
  expect(gzippedKb(both) - gzippedKb(core)).toBeGreaterThan(10);
  expect(gzippedKb(both) - gzippedKb(core)).toBeLessThanOrEqual(95);
});

test.each(Object.keys(bundlers))(
  "the simulator with all policies alone takes at most 64 kB with %s",
  async (bundler) => {
    const names = "{ readTrace, simulate, routing, scheduling, certifyBound }";
    const few = await bundled(bundler, names, "serving_browser.js");
    expect(gzippedKb(few)).toBeLessThanOrEqual(64);
    expect(few).not.toContain("@compute");
  },
);

test.each(Object.keys(bundlers))("Placement and certify alone take at most 30 kB with %s", async (bundler) => {
  const few = await bundled(bundler, "{ Placement, certify }", "browser.js");
  expect(gzippedKb(few)).toBeLessThanOrEqual(30);
  expect(few).not.toContain("@compute"); // no shader where nobody solves
});

test("errors keep their names, though their classes lose them", async () => {
  const code = await bundled("esbuild", "*", "browser.js");
  const evenkeel = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const kinds = Object.keys(evenkeel).filter((name) => name.endsWith("Error"));
  expect(kinds.length).toBeGreaterThanOrEqual(7);
  for (const kind of kinds) {
    expect(evenkeel[kind].name, "the minifier renames classes").not.toBe(kind);
    expect(evenkeel[kind].prototype.name).toBe(kind);
    if (kind === "EvenkeelError") continue; // abstract
    const error = new evenkeel[kind]("argument", [], 0);
    expect(error.name).toBe(kind);
    expect(error.stack).toMatch(new RegExp(`^${kind}: argument`));
    expect(Object.keys(error)).not.toContain("name");
    expect(error).toBeInstanceOf(evenkeel.EvenkeelError);
    expect(error).toBeInstanceOf(Error);
  }
  const thrown = await evenkeel.solveLoadBalanceLP({ placement: {} }).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(evenkeel.PlacementError);
  expect(thrown).toMatchObject({ name: "PlacementError", argument: "placement" });
});
