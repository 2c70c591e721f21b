import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { licencesOf } from "./licences.mjs";
import { texts, withoutComments } from "./texts.mjs";

const common = {
  ...{ bundle: true, format: "esm", sourcemap: true, metafile: true, loader: texts },
  plugins: [withoutComments],
};
const node = { ...common, platform: "node", target: "node20", external: ["webgpu", "@sparticuz/chromium"] };
// esbuild refuses to bundle an import of a Node module for the browser, so a leak of one fails the build.
const browser = { ...common, platform: "browser", target: "es2022" };

// The command line's libraries are CommonJS and require() Node's modules, which ES modules have no such function for.
const requireForCommonJs =
  'import * as nodeModule from "node:module"; const require = nodeModule.createRequire(import.meta.url);';

/** The package's two entries, and in chunks beside them what both have: one Placement, one EvenkeelError. */
const entries = (options, platform) =>
  build({
    ...options,
    entryPoints: { [platform]: "src/index.ts", [`serving_${platform}`]: "src/serving.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: `${platform}_chunk_[hash]`,
  });
// Their names change with what is in them.
const old = existsSync("dist") ? readdirSync("dist").filter((file) => file.includes("_chunk_")) : [];
for (const file of old) rmSync(`dist/${file}`);

const bundles = await Promise.all([
  entries(node, "node"),
  entries(browser, "browser"),
  build({ ...node, entryPoints: ["src/worker.ts"], outfile: "dist/worker.js" }),
  // What tinypool starts a thread with; it looks for that beside the bundle that tinypool is in.
  build({ ...node, entryPoints: ["node_modules/tinypool/dist/entry/worker.js"], outfile: "dist/entry/worker.js" }),
  build({
    ...node,
    entryPoints: { cli: "src/cli/main.ts" },
    outdir: "dist",
    splitting: true, // a command loads what it needs, and no plots where none are drawn
    chunkNames: "cli_chunk_[hash]",
    sourcemap: false, // Node does not read it, and it would be half the package
    banner: { js: requireForCommonJs },
    define: { "process.env.NODE_ENV": '"production"' }, // leaves out what the plotting library checks for its developers
  }),
]);

writeFileSync("dist/THIRD_PARTY_LICENSES.txt", licencesOf(bundles));
