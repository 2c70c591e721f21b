import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { themes } from "../../../src/cli/print/page_style.ts";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { row } from "../../../src/cli/reports/load_history.ts";
import { seeded } from "../../../src/common/random.ts";
import { chromiumPresent, evaluateInChromium, needsChromium } from "../../helpers/chromium.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { captionsOf, headlinesOf, inPage, rgb, tablesOf } from "../print/html.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-analyze-html-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is in folder, by the name that a user types there. */
async function report(args: string[]): Promise<{ analysis: Analysis; html: string; page: URL }> {
  const { code, stdout, stderr } = await evenkeel(["analyze", ...args, "--json"], withoutSoftware, undefined, folder);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const path = join(folder, args[args.indexOf("--html") + 1]);
  return { analysis: JSON.parse(stdout), html: readFileSync(path, "utf8"), page: pathToFileURL(path) };
}

const [gpus, experts, steps] = [4, 12, 20];
const random = seeded(1);
/** [steps][layers][E]: layers with a hot expert more or less, one of them without tokens. */
const loads = Array.from({ length: steps }, () =>
  Array.from({ length: 8 }, (_, layer) =>
    Array.from({ length: experts }, (_, e) => (layer === 3 ? 0 : random.below(200) * (e % 5 === layer ? 6 : 1))),
  ),
);
const hostile = `<img src=x onerror="document.title='run'">&.json`;
const args = [hostile, "--gpus", `${gpus}`, "--html", "report.html"];
let made: Awaited<ReturnType<typeof report>>;
let started: number;
beforeAll(async () => {
  writeFileSync(join(folder, hostile), JSON.stringify(loads));
  started = Date.now();
  made = await report(args);
});

test("is one file without scripts, links or anything of the input that is not text", () => {
  const { html } = made;
  expect(html).not.toMatch(/<script|<img|<link|url\([^#]|<[^>]* on\w+=/i);
  expect(html.replaceAll(/xmlns(:xlink)?="[^"]+"/g, "")).not.toContain("http");
  expect(html).toContain("&lt;img src=x");
});

test("says at its foot what made it, as it was typed", () => {
  const [, command, version, date] = made.html.match(
    /<footer>Made by <code>(.*?)<\/code>, version (.*?), on <time [^>]*>(.*?)<\/time>/,
  )!;
  const quoted = `'${hostile.replaceAll("'", "'\\''")}'`;
  const escaped = quoted.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  expect(command.replaceAll("&#39;", "'").replaceAll("&quot;", '"')).toBe(
    `evenkeel analyze ${escaped} --gpus 4 --html report.html --json`,
  );
  expect(version).toBe(packageJson.version);
  expect(date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Date.parse(date)).toBeGreaterThan(started - 1000);
  expect(Date.parse(date)).toBeLessThanOrEqual(Date.now());
});

test("has the figures of all layers at its head, and in the table's last row", () => {
  const { html, analysis } = made;
  const { all, layers } = analysis;
  const means = [all.originals, all.even, all.solved].map(({ mean }) => mean.toFixed(3));
  const p95s = [all.originals, all.even, all.solved].map(({ p95 }) => `95th percentile ${p95.toFixed(3)}`);
  const batches = layers.reduce((sum, layer) => sum + layer.batches, 0);
  expect(batches).toBe(7 * 10);
  const worst = layers.reduce((a, b) => (b.solved.mean > a.solved.mean ? b : a));
  const helped = layers.reduce((a, b) => ((b.replica?.saved ?? 0) > (a.replica?.saved ?? 0) ? b : a));
  expect(headlinesOf(html)).toEqual([
    ["Imbalance, no replicas", means[0], p95s[0]],
    ["Imbalance, even split", means[1], p95s[1]],
    ["Imbalance, LP", means[2], p95s[2]],
    [
      "What the LP wins",
      `${((100 * (all.even.mean - all.solved.mean)) / all.even.mean).toFixed(1)} %`,
      "off the busiest GPU&#39;s load, split evenly",
    ],
    ["Proven optimal", "100 %", "70 of 70 LPs"],
    ["Worst under the LP", `layer ${worst.layer}`, `imbalance ${worst.solved.mean.toFixed(3)}`],
    [
      "One more replica",
      `-${helped.replica!.saved.toFixed(3)}`,
      `expert ${helped.replica!.expert} on GPU ${helped.replica!.gpu} in layer ${helped.layer}`,
    ],
    ["Measured", "10 steps", "of 20 recorded"],
  ]);
  const [table] = tablesOf(html);
  expect(table).toHaveLength(1 + layers.length + 1);
  expect(table.at(-1)).toEqual(["all", ...means, "", "", ""]);
  expect(html).toContain(`<tr class="total"><td>all</td>`);
});

test("draws the layers that are worst under the LP, not under the even split", () => {
  const { html, analysis } = made;
  const worst = (split: "even" | "solved") =>
    analysis.layers
      .toSorted((a, b) => b[split].mean - a[split].mean)
      .map(({ layer }) => layer)
      .slice(0, 3);
  expect(worst("solved")).not.toEqual(worst("even"));
  const drawn = captionsOf(html).flatMap((caption) => caption.match(/^Layer (\d+): imbalance/)?.[1] ?? []);
  expect(drawn.map(Number)).toEqual(worst("solved"));
});

test("shows times where there is a cost, those of all layers at its head", async () => {
  writeFileSync(join(folder, "cost.json"), JSON.stringify({ model: "roofline", perExpert: 6.3, perToken: 0.035 }));
  const { html, analysis } = await report([...args.with(-1, "time.html"), "--cost", "cost.json"]);
  const { all } = analysis.time!;
  const shown = headlinesOf(html).slice(-4);
  expect(shown.map(([name]) => name)).toEqual(["Time, even split", "Time, by tokens", "Time, by time", "Time, bound"]);
  expect(shown.map(([, value]) => value)).toEqual(
    [all.even, all.tokens, all.time, all.bound].map(({ mean }) => mean.toPrecision(4)),
  );
  expect(shown[2][2]).toBe(`95th percentile ${all.time.p95.toPrecision(4)}, in the unit of the cost`);
  expect(tablesOf(html)[1].at(-1)!.slice(0, 2)).toEqual(["all", all.originals.mean.toPrecision(4)]);
});

test("steps beyond what can be drawn are put together", async () => {
  const many = Array.from({ length: 1200 }, () => [Array.from({ length: 4 }, () => 1 + random.below(100))]);
  writeFileSync(join(folder, "many.json"), JSON.stringify(many));
  const { html } = await report(["many.json", "--gpus", "2", "--redundant", "2", "--html", "many.html"]);
  expect(captionsOf(html)[0]).toContain("Each point is the mean of 2 steps.");
  expect(captionsOf(made.html)[0]).not.toContain("Each point");
});

test("what is far above the rest without replicas is cut off, and said", async () => {
  const hot = Array.from({ length: 8 }, () => [
    Array.from({ length: 8 }, (_, e) => (e === 0 ? 4000 : 90 + random.below(20))),
  ]);
  writeFileSync(join(folder, "hot.json"), JSON.stringify(hot));
  const { html, analysis } = await report(["hot.json", "--gpus", "4", "--redundant", "8", "--html", "hot.html"]);
  const most = Math.max(...analysis.overTime.originals).toFixed(1);
  expect(Number(most)).toBeGreaterThan(3);
  const [overTime, , , , loadsPerGpu] = captionsOf(html);
  for (const caption of [overTime, loadsPerGpu])
    expect(caption).toContain(`Without replicas it goes up to ${most}, beyond the plot.`);
  expect(made.html).not.toContain("beyond the plot");
});

test("what dead GPUs and layers without tokens leave blank is said", async () => {
  writeFileSync(join(folder, "placement.json"), JSON.stringify({ phy2log: made.analysis.placements, gpus }));
  const { html } = await report([
    hostile,
    "--gpus",
    "4",
    "--placement",
    "placement.json",
    "--dead",
    "2",
    "--html",
    "dead.html",
  ]);
  expect(html).toContain("Blank: dead GPUs and layers without tokens.");
  expect(made.html).toContain("Blank: layers without tokens.");
});

describe.runIf(chromiumPresent)(`in a browser ${needsChromium}`, () => {
  test("its plots are there", async () => {
    const drawn = `[...document.querySelectorAll("figure")].map((figure) => {
      const svg = figure.querySelector("svg");
      const seen = [...svg.querySelectorAll("path, polygon")].filter((path) => {
        const { width, height } = path.getBoundingClientRect();
        return width > 2 && height > 2;
      });
      const { width, height } = svg.getBoundingClientRect();
      const bands = seen.filter((path) => path.getAttribute("fill-opacity") === "0.14");
      const texts = [...svg.querySelectorAll("text")].filter((text) => text.getBoundingClientRect().width > 0);
      return { width, height, shapes: seen.length, bands: bands.length, texts: texts.map((text) => text.textContent) };
    })`;
    type Drawn = { width: number; height: number; shapes: number; bands: number; texts: string[] };
    const figures = (await evaluateInChromium(made.page, drawn)) as Drawn[];
    expect(figures).toHaveLength(1 + 3 + 3 + 1);
    const [overTime, even, solved, expertLoad, ...rest] = figures;
    const prices = rest.pop()!;
    expect(overTime.texts).toEqual(expect.arrayContaining(["no replicas", "even split", "LP", "step"]));
    expect(overTime).toMatchObject({ bands: 3 });
    for (const { shapes, texts } of rest) {
      expect(shapes).toBeGreaterThanOrEqual(3 * gpus);
      expect(texts).toEqual(expect.arrayContaining(["GPU", "load / mean", "LP"]));
    }
    for (const { texts } of [even, solved, prices])
      expect(texts).toEqual(expect.arrayContaining(["GPU", "layer", "7"]));
    expect(expertLoad.texts).toEqual(expect.arrayContaining(["expert", "layer", "11"]));
    for (const { width, height } of figures) {
      expect(width).toBeGreaterThan(400);
      expect(height).toBeGreaterThan(100);
    }
  });

  test.each([320, 360, 800, 1280])(
    "at %i pixels nothing but tables and plots in their boxes is wider",
    async (width) => {
      expect(await evaluateInChromium(made.page, inPage.width, { width })).toBeLessThanOrEqual(width);
    },
  );

  test.each([false, true])("in colours for a screen that is dark: %s", async (dark) => {
    const { page, text, faint } = dark ? themes.dark : themes.light;
    const found = (await evaluateInChromium(made.page, inPage.colours, { width: 1280, dark })) as {
      labels: string[];
    };
    expect({ ...found, labels: found.labels.sort() }).toEqual({
      page: rgb(page),
      text: rgb(text),
      labels: [rgb(text), rgb(faint)].sort(),
    });
  });
});

test("no plot has a colour of its own, which only one kind of screen would show well", () => {
  // Others are not seen: what cuts a plot off, what is behind it or its legend, and the inside of a line in the legend.
  const shown = made.html.replaceAll(/<clipPath.*?<\/clipPath>/gs, "");
  const seen = [...shown.matchAll(/<(?:path|poly|text|rect)[^>]*>/g)].filter(
    ([shape]) => !/fill-opacity="0"|L28 7"/.test(shape),
  );
  const colours = seen.flatMap(([shape]) =>
    [...shape.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, colour]) => colour),
  );
  expect(colours.length).toBeGreaterThan(100);
  expect(new Set(colours.filter((colour) => !/^(none|transparent|var\(--[\w-]+\))$/.test(colour)))).toEqual(new Set());
});

describe.each([64, 320])("58 layers and 256 experts on %i GPUs", (many) => {
  const file = `of${many}.json`;
  let large: Awaited<ReturnType<typeof report>>;
  let seconds: number;
  beforeAll(async () => {
    const history = generateLoads({ steps: 4, layers: 58, experts: 256 }, 1);
    const rows = Array.from({ length: 4 }, (_, step) =>
      Array.from({ length: 58 }, (_, layer) => [...row(history, step, layer)]),
    );
    writeFileSync(join(folder, file), JSON.stringify({ loads: rows }));
    const start = performance.now();
    large = await report([file, "--gpus", `${many}`, "--html", `of${many}.html`]);
    seconds = (performance.now() - start) / 1e3;
  });

  test("make a page that any browser opens, soon", () => {
    expect(statSync(large.page).size).toBeLessThan(1.5e6);
    expect(seconds).toBeLessThan(60); // a few, on two cores of which others have their share
  });

  test.runIf(chromiumPresent)(`whose plots can be read ${needsChromium}`, async () => {
    expect(await evaluateInChromium(large.page, inPage.overlaps)).toEqual([]);
    const bars = `[...document.querySelectorAll("figure")].slice(4, 7).map((figure) => {
      const paths = [...figure.querySelectorAll("path[fill^='var(--series']")];
      return Math.min(...paths.map((path) => path.getBoundingClientRect().width).filter((width) => width > 0));
    })`;
    const widths = (await evaluateInChromium(large.page, bars)) as number[];
    expect(widths).toHaveLength(3);
    for (const width of widths) expect(width).toBeGreaterThan(3);
    const maps = `[...document.querySelectorAll("svg[shape-rendering]")].map((svg) => svg.getBoundingClientRect().width)`;
    const [even, , expertLoad] = (await evaluateInChromium(large.page, maps)) as number[];
    expect(even / many).toBeGreaterThan(2.5);
    expect(expertLoad / 256).toBeGreaterThan(2.5);
    expect(await evaluateInChromium(large.page, inPage.width, { width: 320 })).toBeLessThanOrEqual(320);
  });
});
