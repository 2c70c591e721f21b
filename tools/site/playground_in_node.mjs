// What the playground shows, and what its own functions say in Node of the state in the address.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { texts } from "../../scripts/texts.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const inNode = await modulesInNode();

/** The page's own modules, bundled for Node. */
async function modulesInNode() {
  const folder = mkdtempSync(join(root, "node_modules/.evenkeel-site-")); // inside, so that packages resolve
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const lines = ["link", "question", "solvers", "picture", "words"].map((name) => `export * from "./${name}.ts";`);
  const outfile = join(folder, "playground.mjs");
  await build({
    ...{ stdin: { contents: lines.join("\n"), resolveDir: join(root, "web/playground") }, outfile, loader: texts },
    ...{ bundle: true, format: "esm", platform: "node", target: "node20", packages: "external" },
  });
  return import(pathToFileURL(outfile).href);
}

export const hashOf = (visitor) => visitor.page.evaluate(() => location.hash.slice(1));
export const tokensOf = (bar) => bar.evaluate((one) => Number(one.getAttribute("aria-valuenow")));

/** The value of a bar once it is no more what it was. */
export async function settled(bar, before) {
  for (let tries = 0; tries < 200; tries++) {
    const value = await tokensOf(bar);
    if (value !== before) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`the bar stays at ${before}`);
}

/**
 * The element that is called so, as soon as it is there. Firefox takes ten seconds for what `visitor.find` asks of a page with many elements; axe sees
 * to it that names are what they seem.
 */
export async function named(visitor, name, selector) {
  const found = await visitor.page.waitForFunction(
    (wanted, all) => {
      const nameOf = (one) =>
        one.getAttribute("aria-label") ??
        one.labels?.[0]?.querySelector("span")?.innerText ??
        one.labels?.[0]?.innerText ??
        one.innerText;
      return [...document.querySelectorAll(all)].find((one) => nameOf(one).trim() === wanted);
    },
    { polling: 100 },
    name,
    selector,
  );
  return found.asElement();
}

export async function press(visitor, name, selector = "button") {
  const found = await named(visitor, name, selector);
  await found.click();
}

export async function choose(visitor, name, value) {
  const found = await named(visitor, name, "select");
  await found.select(value);
}

/** Into a field of numbers, which take effect with Enter. */
export async function enter(visitor, name, value) {
  const found = await named(visitor, name, "input[type=number]");
  await found.evaluate((one) => {
    one.focus();
    one.select();
  });
  await visitor.page.keyboard.type(String(value)); // a value that is set without a key is drawn over
  await visitor.page.keyboard.press("Enter");
}

/** What the page says: the proof, and the table of GPUs. */
export function readingOf(visitor) {
  return visitor.page.evaluate(() => ({
    proof: document.querySelector(".proof")?.textContent,
    rows: [...(document.querySelector("table")?.rows ?? [])].map((row) =>
      [...row.cells].map((cell) => cell.textContent),
    ),
  }));
}

async function nodesReading(hash) {
  const { stateOf, questionOf, Solvers, pictureOf, proofInWords, gpuTable } = inNode;
  const question = questionOf(stateOf(hash));
  const solvers = new Solvers();
  const picture = pictureOf({ ...question, backend: "cpu" }, await solvers.solve({ ...question, backend: "cpu" }));
  solvers.close();
  return { proof: proofInWords(picture), rows: gpuTable(picture) };
}

/**
 * The largest loads, and times, by each way that has but one answer: solvers may find other ones of several splits with the least load, and these take
 * other times.
 */
const maximaOf = ({ rows }) =>
  [1, 2, 3, 5, 6, 8].map((column) => Math.max(...rows.slice(1).map((row) => Number(row[column].replaceAll(",", "")))));

/**
 * Waits until the address is of the state wanted, and the page says what Node says of it; gives what that is.
 *
 * @param wanted  a part of the address's fragment, or whether it is the one.
 * @param options.sameMaxima  Compares these alone.
 */
export async function agree(visitor, wanted, { sameMaxima = false } = {}) {
  const fits = typeof wanted === "string" ? (hash) => hash.includes(wanted) : wanted;
  const end = performance.now() + 30_000;
  let shown;
  let expected;
  for (;;) {
    const hash = await hashOf(visitor);
    if (fits(hash)) {
      shown = await readingOf(visitor);
      expected = await nodesReading(hash);
      if (sameMaxima && shown.rows.length > 1) [shown, expected] = [maximaOf(shown), maximaOf(expected)];
      if (JSON.stringify(shown) === JSON.stringify(expected)) return shown;
    }
    if (performance.now() > end) {
      const differ = shown
        ? `the page shows\n${JSON.stringify(shown)}\nand Node says\n${JSON.stringify(expected)}`
        : "";
      throw new Error(`expected the state ${wanted} in the address, which is ${hash}. ${differ}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function same(what, shown, expected) {
  const [a, b] = [shown, expected].map((one) => JSON.stringify(one));
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}
