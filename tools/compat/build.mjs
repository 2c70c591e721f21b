// Makes a folder with the packed package in its node_modules, the program for runtimes of the command line and for browsers, and SwiftShader's paths.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { swiftShaderEnvironment } from "./browsers.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = fileURLToPath(new URL("program/main.ts", import.meta.url));

/** @returns folder, and the environment in which Vulkan is SwiftShader. The package must have been built. */
export async function prepare() {
  const folder = mkdtempSync(join(root, "node_modules/.evenkeel-compat-")); // inside, so that packages resolve
  const installed = join(folder, "node_modules/evenkeel");
  mkdirSync(installed, { recursive: true });
  const packing = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const [{ filename }] = JSON.parse(execFileSync("npm", packing, { cwd: root, stdio: ["ignore", "pipe", "ignore"] }));
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);

  // The program's own helpers import the sources' public surface: one package is there, and it is the packed one.
  const thePackage = (core, serving, external) => ({
    name: "the package",
    setup({ onResolve }) {
      onResolve({ filter: /^evenkeel$|\/src\/index\.ts$/ }, () => ({ path: core, external }));
      onResolve({ filter: /^evenkeel\/serving$/ }, () => ({ path: serving, external }));
    },
  });
  const shaders = { loader: { ".wgsl": "text" } }; // the helpers take constants from beside some
  const common = { bundle: true, format: "esm", target: "es2022", tsconfigRaw: {}, absWorkingDir: root, ...shaders };
  const entry = (contents) => ({ stdin: { contents, resolveDir: dirname(program), loader: "ts" } });
  await Promise.all([
    build({
      ...common,
      ...entry(`import { compat } from "./main.ts"; console.log(JSON.stringify(await compat()));`),
      plugins: [thePackage("evenkeel", "evenkeel/serving", true)],
      outfile: join(folder, "program.mjs"),
    }),
    build({
      ...common,
      ...entry(`import { compat } from "./main.ts"; globalThis.report = compat();`),
      plugins: [thePackage(join(installed, "dist/browser.js"), join(installed, "dist/serving_browser.js"), false)],
      outfile: join(folder, "page.js"),
    }),
  ]);
  // So that "evenkeel" is the one installed: Deno would take the repository for it, and Bun the sources.
  writeFileSync(join(folder, "package.json"), `{ "private": true, "type": "module" }`);
  writeFileSync(join(folder, "tsconfig.json"), "{}");
  writeFileSync(join(folder, "index.html"), `<!doctype html><script type="module" src="page.js"></script>`);
  return { folder, swiftShader: await swiftShaderEnvironment() };
}
