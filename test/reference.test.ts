/** `npm run docs`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { publicNames } from "./helpers/documents.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "evenkeel-reference-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the reference has a page for every public name, and nothing in the doc comments is warned of", () => {
  const args = ["run", "--silent", "docs", "--", "--out", folder];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  expect({ status, warnings: (stdout + stderr).match(/.*\b(warning|error)\b.*/g) }).toEqual({
    status: 0,
    warnings: null,
  });
  const kinds = ["classes", "functions", "interfaces", "types", "variables"];
  const pages = kinds.flatMap((kind) => readdirSync(join(folder, kind)).map((file) => basename(file, ".html")));
  // What both entries have is explained with the first.
  const core = publicNames("index");
  const serving = publicNames("serving").filter((name) => !core.includes(name));
  expect(pages.sort()).toEqual(
    [...core.map((name) => `index.${name}`), ...serving.map((name) => `serving.${name}`)].sort(),
  );
});
