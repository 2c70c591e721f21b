// Runs a TypeScript program of this repository: node scripts/run.mjs FILE [ARGUMENTS]. Bundled, since Node knows no .wgsl imports.
// Beside it lies what worker threads run, made of the same sources, and what starts them, as in dist.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { texts } from "./texts.mjs";

const [file, ...rest] = process.argv.slice(2);
const folder = mkdtempSync("node_modules/.evenkeel-"); // inside, so that packages resolve
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
const program = basename(file, ".ts");
const entryPoints = {
  [program]: file,
  worker: "src/worker.ts",
  "entry/worker": "node_modules/tinypool/dist/entry/worker.js",
};
const options = { bundle: true, format: "esm", platform: "node", target: "node20", packages: "external" };
await build({ ...options, entryPoints, outdir: folder, loader: texts, sourcemap: "inline" });
const outfile = join(folder, `${program}.js`);
process.argv.splice(1, 2 + rest.length, outfile, ...rest);
await import(pathToFileURL(outfile).href);
