// The site in real browsers: node tools/site/run.mjs [--browser NAME] [--page FILE.html] [--built] [--all] [--brief]. See CONTRIBUTING.md.
// --built: site/ is there already. --all: no browser may be missing. --brief: of what a page has besides the first check alone.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const CHECK_MS = 120_000; // the longest that a check may take

const { values } = parseArgs({
  options: {
    browser: { type: "string" },
    page: { type: "string" },
    built: { type: "boolean" },
    all: { type: "boolean" },
    brief: { type: "boolean" },
  },
});
const root = fileURLToPath(new URL("../../", import.meta.url));
if (!existsSync(`${root}tools/compat/node_modules/axe-core`)) {
  console.error("site: what drives the browsers is not installed: npm ci --prefix tools/compat");
  process.exit(1);
}
const { browsers, swiftShaderEnvironment } = await import("../compat/browsers.mjs");
const { serve } = await import("../compat/server.mjs");
const { openVisitor } = await import("./visitor.mjs");
const { bareChecks, sendsNothingElsewhere, shellChecks, takesNewVersion, worksOffline } = await import("./shell.mjs");

const begun = performance.now();
if (!values.built)
  execFileSync(process.execPath, ["scripts/site.mjs"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
const pages = readdirSync(`${root}site`).filter((file) => file.endsWith(".html"));
const chosenPages = pages.filter((file) => file === (values.page ?? file));
const chosen = Object.keys(browsers).filter((name) => name === (values.browser ?? name));
for (const [option, found, known] of [
  ["browser", chosen, Object.keys(browsers)],
  ["page", chosenPages, pages],
]) {
  if (found.length > 0) continue;
  console.error(`site: --${option}: expected ${known.join(" or ")}, got ${values[option]}`);
  process.exit(2);
}

/** What the pages have besides: tools/site/pages/NAME.mjs exports `page`, its file, and `checks`. */
const own = [];
for (const file of readdirSync(new URL(".", import.meta.url), { recursive: true })) {
  if (file.startsWith("pages/")) own.push(await import(`./${file}`));
}
const most = values.brief ? 1 : undefined;
const ownChecks = (file, webgpu) =>
  own
    .filter(({ page }) => page === file)
    .flatMap(({ checks }) => checks.filter((check) => (check.webgpu ?? true) === webgpu).slice(0, most));

let passed = 0;
let failed = 0;
let skipped = 0;
for (const name of chosen) {
  if (!existsSync(browsers[name].path)) {
    console.log(`${name}: SKIPPED, ${browsers[name].path} is not installed`);
    skipped++;
    continue;
  }
  const swiftShader = await swiftShaderEnvironment();
  for (const webgpu of [true, false]) {
    try {
      await inBrowser(name, { swiftShader, webgpu });
    } catch (error) {
      console.log(`${name}: FAILED, it does not start, or has ended: ${error.message}`);
      failed++;
    }
  }
}
const seconds = Math.round((performance.now() - begun) / 1000);
console.log(`site: ${passed} checks ok, ${failed} failed, ${skipped} browsers skipped; ${seconds} s`);
process.exit(failed > 0 || (values.all && skipped > 0) ? 1 : 0); // a browser that hangs is killed with it

async function inBrowser(name, { swiftShader, webgpu }) {
  const server = await serve(`${root}site`);
  const visitor = await openVisitor(name, server, { swiftShader, webgpu });
  const where = webgpu ? name : `${name} without WebGPU`;
  console.log(`${where}: ${visitor.version}`);
  // Of the whole site, and first: the server stops after the first load of anything.
  const first = [
    { name: "works offline", run: () => worksOffline(visitor, pages) },
    { name: "sends nothing elsewhere", run: () => sendsNothingElsewhere(visitor, pages) },
  ];
  for (const check of webgpu ? first : []) await judge(where, "site", check, visitor);
  for (const file of chosenPages) {
    const checks = [...(webgpu ? shellChecks : bareChecks)(file), ...ownChecks(file, webgpu)];
    for (const check of checks) await judge(where, file, check, visitor);
  }
  const last = { name: "takes a new version when the pages of the old are closed", run: takesNewVersion };
  if (!webgpu) await judge(where, "site", last, visitor);
  await visitor.close();
  await server.stop();
}

async function judge(where, file, check, visitor) {
  const start = performance.now();
  let fault;
  try {
    await Promise.race([check.run(visitor), tooLate()]);
    if (visitor.errors.length > 0) throw new Error(visitor.errors.join("\n"));
    passed++;
  } catch (error) {
    fault = error;
    failed++;
    await visitor.shot("FAILED").catch(() => {});
    await visitor.renew(); // what the check left may be anything
  }
  visitor.errors.length = 0;
  const took = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${where}: ${file}: ${check.name}; ${took} s; ${fault ? "FAILED" : "ok"}`);
  if (fault) console.log(`  ${fault.message.replaceAll("\n", "\n  ")}`);
}

function tooLate() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`it takes more than ${CHECK_MS / 1000} s`)), CHECK_MS).unref();
  });
}
