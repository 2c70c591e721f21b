// What the what-if page shows, and what its own functions and the library say in Node, on the CPU, of the same settings.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { texts } from "../../scripts/texts.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
export const inNode = await modulesInNode();

/** The page's own modules, bundled for Node. */
async function modulesInNode() {
  const folder = mkdtempSync(join(root, "node_modules/.evenkeel-site-")); // inside, so that packages resolve
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const own = ["settings", "question", "answers", "open_file"].map((name) => `export * from "./${name}.ts";`);
  const lines = [...own, `export { breakingRates, sweep } from "../../src/serving.ts";`];
  const outfile = join(folder, "what_if.mjs");
  await build({
    ...{ stdin: { contents: lines.join("\n"), resolveDir: join(root, "web/what_if") }, outfile, loader: texts },
    ...{ bundle: true, format: "esm", platform: "node", target: "node20", packages: "external" },
  });
  return import(pathToFileURL(outfile).href);
}

/** The headlines and the rows by policy: [[...cells], ...]. */
async function nodesAnswers(hash, trace) {
  const { settingsOf, questionOf, sweep, breakingRates, configurationsOf, headlinesOf, policyRows } = inNode;
  const question = questionOf(settingsOf(hash), trace);
  const { rates, ...unrated } = question.grid;
  const { scenarios } = await sweep(question.trace, question.grid, { backend: "cpu" });
  const options = { backend: "cpu", attainment: question.attainment };
  const breaking = question.breaking ? await breakingRates(question.trace, unrated, options) : undefined;
  const all = configurationsOf(question, scenarios, breaking);
  const headlines = headlinesOf(question, all, breaking).map(({ name, value, note }) => [name, value, note]);
  return { headlines, rows: policyRows(question, all, breaking) };
}

function pagesAnswers(visitor) {
  return visitor.page.evaluate(() => ({
    headlines: [...document.querySelectorAll(".headline div")].map((one) =>
      [...one.children].map((c) => c.textContent),
    ),
    rows: [...(document.querySelector(".stage table")?.rows ?? [])].map((row) =>
      [...row.cells].map((cell) => cell.textContent),
    ),
  }));
}

/** Waits until nothing is computed any more, and there are answers; then they must be Node's of the settings in the address. */
export async function agree(visitor, trace) {
  await visitor.page.waitForSelector(".stage[aria-busy=false] .headline", { timeout: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 500)); // the address follows when nothing has changed for a while
  const hash = await visitor.page.evaluate(() => location.hash.slice(1));
  same("answers", await pagesAnswers(visitor), await nodesAnswers(hash, trace));
}

export function same(what, found, expected) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

/** A second of arrivals like those of a Mooncake trace: prompts that share their first block. */
export function mooncakeLines(requests) {
  const line = (_, i) => ({
    timestamp: 40 * i + (i % 7),
    input_length: 600 + ((i * 137) % 900),
    output_length: 20 + ((i * 53) % 180),
    hash_ids: [0, 2 * i + 1, 2 * i + 2].slice(0, Math.ceil((600 + ((i * 137) % 900)) / 512)),
  });
  return Array.from({ length: requests }, (_, i) => `${JSON.stringify(line(_, i))}\n`).join("");
}

/** What vLLM's benchmark would save of a run of as many requests, the last of which failed. */
export function vllmResult(requests) {
  const each = (of) => Array.from({ length: requests }, (_, i) => of(i));
  const output = (i) => (i === requests - 1 ? 0 : 10 + (i % 30));
  return JSON.stringify({
    ...{ backend: "vllm", num_prompts: requests, duration: requests / 20 },
    ...{ input_lens: each((i) => 200 + (i % 50)), output_lens: each(output) },
    start_times: each((i) => 1000 + i / 20),
    ttfts: each((i) => 0.05 + (i % 20) / 100),
    itls: each((i) => Array.from({ length: Math.max(0, output(i) - 1) }, () => 0.02 + (i % 10) / 1000)),
    errors: each((i) => (i === requests - 1 ? "it timed out" : "")),
  });
}
