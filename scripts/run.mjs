// Runs a TypeScript program of this repository: node scripts/run.mjs FILE [ARGUMENTS]. Bundled, since Node knows no .wgsl imports.
import { mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const [file, ...rest] = process.argv.slice(2);
const folder = mkdtempSync("node_modules/.evenkeel-"); // inside, so that packages resolve
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, `${basename(file, ".ts")}.mjs`);
const options = { bundle: true, format: "esm", platform: "node", target: "node20", packages: "external" };
await build({ ...options, entryPoints: [file], outfile, loader: { ".wgsl": "text" }, sourcemap: "inline" });
process.argv.splice(1, 2 + rest.length, outfile, ...rest);
await import(pathToFileURL(outfile).href);
