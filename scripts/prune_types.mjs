// Deletes from dist/types what the package's entries do not come to, so that nothing but the public types is published.
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const folder = resolve("dist/types");
const entries = ["index.d.ts", "serving.d.ts"].map((name) => join(folder, name));
// Nothing is checked, so that it needs neither a library nor other packages' types.
const listing = ["--listFilesOnly", "--module", "nodenext", "--noLib", "--typeRoots", "none"];
const tsc = ["node_modules/typescript/bin/tsc", ...listing, ...entries];
const reached = new Set(
  execFileSync(process.execPath, tsc, { encoding: "utf8" })
    .split("\n")
    .map((path) => resolve(path)),
);
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !reached.has(path)) rmSync(path);
}
