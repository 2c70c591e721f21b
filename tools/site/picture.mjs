// The README's picture of the playground: node tools/site/picture.mjs [--hash STATE] [--wait TEXT] [--height PIXELS]. See CONTRIBUTING.md.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serve } from "../compat/server.mjs";
import { openVisitor } from "./visitor.mjs";

const MOST_BYTES = 120_000;

const { values } = parseArgs({
  options: { hash: { type: "string" }, wait: { type: "string" }, height: { type: "string", default: "760" } },
});
const root = fileURLToPath(new URL("../../", import.meta.url));
const path = `${root}docs/playground.png`;
execFileSync(process.execPath, ["scripts/site.mjs"], { cwd: root, stdio: "ignore" });
const server = await serve(`${root}site`);
const visitor = await openVisitor("chromium", server, { webgpu: true });
await visitor.page.setViewport({ width: 1080, height: Number(values.height) });
await visitor.goto("index.html", { hash: values.hash });
if (values.wait) await visitor.waitFor(values.wait);
await visitor.page.screenshot({ path });
await visitor.close();
await server.stop();
const bytes = statSync(path).size;
console.log(`${relative(root, path)}: ${bytes} bytes`);
if (bytes > MOST_BYTES) {
  console.error(`expected at most ${MOST_BYTES} bytes for a README, got ${bytes}: a lower --height shows less.`);
  process.exitCode = 1;
}
