// Builds the site: node scripts/site.mjs [FOLDER], "site" by default. Any static server serves it.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { commit } from "./commit.mjs";
import { licencesOf } from "./licences.mjs";
import { texts, withoutComments } from "./texts.mjs";

const MOST_BYTES = 1_000_000; // of all files, each in gzip

const folder = process.argv[2] ?? "site";
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

/** The style of the command line's reports, which is a constant of a TypeScript module, as a style sheet. */
const pageStyle = {
  name: "style of the reports",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^page_style\.css$/ }, ({ path }) => ({ path, namespace: "page-style" }));
    onLoad({ filter: /.*/, namespace: "page-style" }, async () => {
      const entry = "src/cli/print/page_style.ts";
      const { outputFiles } = await build({ entryPoints: [entry], format: "esm", write: false });
      const { STYLE } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
      return { contents: STYLE, loader: "css", watchFiles: [entry] };
    });
  },
};

const common = {
  bundle: true,
  minify: true,
  metafile: true,
  platform: "browser",
  target: "es2022",
  legalComments: "none",
};

// A page's entry is web/PAGE/main.tsx; what it runs in a thread, web/PAGE/worker.ts, becomes PAGE_worker.js beside it.
const sources = readdirSync("web", { recursive: true, encoding: "utf8" });
const entryPoints = Object.fromEntries([
  ...sources.filter((file) => file.endsWith("/main.tsx")).map((file) => [file.split("/")[0], `web/${file}`]),
  ...sources
    .filter((file) => file.endsWith("/worker.ts"))
    .map((file) => [`${file.split("/")[0]}_worker`, `web/${file}`]),
]);
const pages = await build({
  ...common,
  entryPoints,
  outdir: folder,
  format: "esm",
  splitting: true,
  chunkNames: "chunk_[hash]",
  loader: texts,
  define: { COMMIT: JSON.stringify(commit()) },
  plugins: [withoutComments, pageStyle],
});
for (const html of sources.filter((file) => file.endsWith(".html"))) {
  writeFileSync(join(folder, html), readFileSync(join("web", html)));
}
writeFileSync(join(folder, "THIRD_PARTY_LICENSES.txt"), licencesOf([pages]));

const files = readdirSync(folder).sort();
const digest = createHash("sha256");
for (const file of files) digest.update(`${file}\0`).update(readFileSync(join(folder, file)));
await build({
  ...common,
  entryPoints: ["web/service_worker.ts"],
  outdir: folder,
  define: { FILES: JSON.stringify(files), VERSION: JSON.stringify(digest.digest("hex").slice(0, 16)) },
});

let total = 0;
for (const file of readdirSync(folder).sort()) {
  const bytes = gzipSync(readFileSync(join(folder, file)), { level: 9 }).length;
  total += bytes;
  console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB  ${file}`);
}
console.log(`${(total / 1000).toFixed(1).padStart(7)} kB in gzip, of at most ${MOST_BYTES / 1000} kB, in ${folder}/`);
if (total > MOST_BYTES) {
  console.error(`site: expected at most ${MOST_BYTES} bytes in gzip, got ${total}.`);
  process.exitCode = 1;
}
