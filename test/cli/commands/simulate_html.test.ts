import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { themes } from "../../../src/cli/print/page_style.ts";
import { routeNames } from "../../../src/cli/reports/routes.ts";
import type { SimulationReport } from "../../../src/cli/reports/simulation_report.ts";
import { chromiumPresent, evaluateInChromium, needsChromium } from "../../helpers/chromium.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { captionsOf, headlinesOf, inPage, rgb, tablesOf } from "../print/html.ts";

const { path } = ownFiles();
const folder = dirname(path());

/** What is in folder, by the name that a user types there. */
async function report(args: string[]): Promise<{ report: SimulationReport; html: string; page: URL }> {
  const { code, stdout, stderr } = await evenkeel(["simulate", ...args, "--json"], withoutSoftware, undefined, folder);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const to = `${folder}/${args[args.indexOf("--html") + 1]}`;
  return { report: JSON.parse(stdout), html: readFileSync(to, "utf8"), page: pathToFileURL(to) };
}

const hostile = `<img src=x onerror="document.title='run'">&.csv`;
const stepTime = { base: 8e-3, perSequence: 5e-5, perKvToken: 2e-8, perPrefillToken: 2e-5, perContext: 5e-10 };
const size = ["--slots", "8", "--kv-tokens", "4000"];
const args = [
  ...[hostile, "--workers", "3", ...size, "--rate", "25", "--requests", "2000", "--seeds", "2"],
  ...["--step-time", "step.json"],
  ...["--slo-ttft", "500", "--route", "round-robin,power-of-two", "--html", "report.html"],
];
let made: Awaited<ReturnType<typeof report>>;
beforeAll(async () => {
  writeFileSync(`${folder}/step.json`, JSON.stringify(stepTime));
  writeFileSync(`${folder}/${hostile}`, "input_tokens,output_tokens\n40,20\n300,60\n900,10\n20,200\n");
  made = await report(args);
});

test("is one file without scripts, links or anything of the input that is not text", () => {
  const { html } = made;
  expect(html).not.toMatch(/<script|<img|<link|url\([^#]|<[^>]* on\w+=/i);
  expect(html.replaceAll(/xmlns(:xlink)?="[^"]+"/g, "")).not.toContain("http");
  expect(html).toContain("&lt;img src=x");
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
});

test("the same run makes the same page, but for when and how it was made", async () => {
  const again = await report(args.with(-1, "again.html"));
  const withoutFoot = (html: string) => html.replace(/<footer>.*<\/footer>/, "");
  expect(withoutFoot(again.html)).toBe(withoutFoot(made.html));
  expect(again.report).toEqual(made.report);
  expect(made.html).toMatch(/<footer>Made by <code>evenkeel simulate .*--html report\.html --json<\/code>, version/);
});

test("has the best of each figure at its head, with what least KV has", () => {
  const found = headlinesOf(made.html);
  expect(found.map(([name]) => name)).toEqual([
    ...["Mean TTFT", "99th percentile of TTFT", "Mean TPOT", "99th percentile of E2E", "Tokens", "Goodput", "Idle"],
    ...["Bound of mean E2E", "Simulated", "Served in"],
  ]);
  const means = made.report.policies.map(({ policy, figures }) => ({ policy, mean: figures["ttft.p99"]!.mean }));
  const best = means.toSorted((a, b) => a.mean - b.mean)[0];
  const [, value, note] = found[1];
  expect(Number.parseFloat(value.replace(",", "")) / (1e3 * best.mean)).toBeCloseTo(1, 2);
  expect(note.startsWith(`with ${best.policy}`)).toBe(true);
  expect(found.at(-2)).toEqual(["Simulated", "2,000 requests", "3 workers with 8 slots"]);
});

test("has a table for each latency, for differences and for the work", () => {
  const { html, report } = made;
  const tables = tablesOf(html);
  expect(tables.map(([head]) => head[1].split(",")[0])).toEqual([
    ...["TTFT mean", "TPOT mean", "E2E mean", "TTFT mean", "wait mean", "ITL mean", "requests/s"],
  ]);
  for (const [i, table] of tables.entries()) {
    const names = i === 3 ? ["round-robin", "power-of-two"] : ["least-kv", "round-robin", "power-of-two"];
    expect(table.slice(1).map(([name]) => name)).toEqual(names);
  }
  const [[head, ...rows]] = tables;
  expect(head.slice(1).map((name) => name.replace(/^TTFT /, ""))).toEqual(["mean, ms", "p50", "p90", "p95", "p99"]);
  for (const [p, row] of rows.entries()) {
    const { figures } = report.policies[p];
    const shown = row.slice(1).map((cell) => Number.parseFloat(cell.replaceAll(",", "")));
    const exact = (["mean", "p50", "p90", "p95", "p99"] as const).map((name) => 1e3 * figures[`ttft.${name}`]!.mean);
    for (const [k, value] of exact.entries()) expect(Math.abs(shown[k] - value)).toBeLessThanOrEqual(0.0051 * value);
  }
});

test("plots and maps say what they show", () => {
  const captions = captionsOf(made.html);
  expect(captions).toHaveLength(3 + 2 + 1 + 3);
  for (const [i, name] of ["TTFT", "TPOT", "E2E"].entries()) expect(captions[i]).toContain(`whose ${name} is at most`);
  expect(captions[3]).toContain("Requests that wait");
  expect(made.report.bound).toMatchObject({ proof: "steps" }); // then workers' time has a price
  expect(captions[5]).toContain("By how much a worker more, for a second at that time, would lower the bound");
  expect(captions.slice(-3).map((caption) => caption.split(":")[0])).toEqual(made.report.policies.map((p) => p.policy));
  expect(made.html).toContain("<p>Plots are of seed 1.</p>");
});

test("no plot has a colour of its own, which only one kind of screen would show well", () => {
  const shown = made.html.replaceAll(/<clipPath.*?<\/clipPath>/gs, "");
  const seen = [...shown.matchAll(/<(?:path|poly|text|rect)[^>]*>/g)].filter(
    ([shape]) => !/fill-opacity="0"|L28 7"/.test(shape),
  );
  const colours = seen.flatMap(([shape]) => [...shape.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, one]) => one));
  expect(colours.length).toBeGreaterThan(100);
  expect(new Set(colours.filter((colour) => !/^(none|transparent|var\(--[\w-]+\))$/.test(colour)))).toEqual(new Set());
});

test("a closed pool, whose arrivals are the simulation's own, is drawn like any other", async () => {
  const base = [hostile, "--workers", "2", ...size, "--pool", "4", "--clock", "rounds"];
  const { html } = await report([...base, "--route", "bfio", "--html", "pool.html"]);
  const captions = captionsOf(html);
  expect(captions).toHaveLength(3 + 2 + 2);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
});

describe.runIf(chromiumPresent)(`in a browser ${needsChromium}`, () => {
  test("its plots are there: a line for each policy, and cells of several colours", async () => {
    const drawn = `[...document.querySelectorAll("figure")].map((figure) => {
      const lines = [...figure.querySelectorAll("path, polyline")].filter((path) => {
        const { width, height } = path.getBoundingClientRect();
        return width > 200 && height > 20 && (path.getAttribute("stroke") ?? "").startsWith("var(--series");
      });
      const fills = new Set([...figure.querySelectorAll("path[stroke^='var(--more'], path[stroke^='var(--less']")].map((path) => path.getAttribute("stroke")));
      return { lines: lines.length, fills: fills.size, texts: [...figure.querySelectorAll("text")].map((text) => text.textContent) };
    })`;
    type Drawn = { lines: number; fills: number; texts: string[] };
    const figures = (await evaluateInChromium(made.page, drawn)) as Drawn[];
    for (const { lines, texts } of figures.slice(0, 5)) {
      expect(lines).toBe(3);
      expect(texts).toEqual(expect.arrayContaining(["least-kv", "round-robin", "power-of-two"]));
    }
    expect(figures[5].lines).toBe(1);
    for (const { fills, texts } of figures.slice(6)) {
      expect(fills).toBeGreaterThan(3);
      expect(texts).toEqual(expect.arrayContaining(["worker", "time in s", "0", "2"]));
    }
  });

  test("all texts can be read", async () => {
    expect(await evaluateInChromium(made.page, inPage.overlaps)).toEqual([]);
  });

  test.each([320, 1280])("at %i pixels nothing but tables and plots in their boxes is wider", async (width) => {
    expect(await evaluateInChromium(made.page, inPage.width, { width })).toBeLessThanOrEqual(width);
  });

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

describe("ten policies and 500 workers", () => {
  let large: Awaited<ReturnType<typeof report>>;
  beforeAll(async () => {
    const many = [hostile, "--workers", "500", ...size, "--rate", "2000", "--requests", "6000"];
    large = await report([...many, "--route", routeNames.join(), "--html", "large.html"]);
  });

  test("make a page that any browser opens", () => {
    expect(large.report.policies.map(({ policy }) => policy)).toEqual(routeNames);
    expect(statSync(large.page).size).toBeLessThan(3e6);
    expect(captionsOf(large.html).at(-1)).toContain("One worker of 8 is shown, of 500 in all.");
  });

  test.runIf(chromiumPresent)(`whose plots can be read ${needsChromium}`, async () => {
    expect(await evaluateInChromium(large.page, inPage.overlaps)).toEqual([]);
    expect(await evaluateInChromium(large.page, inPage.width, { width: 320 })).toBeLessThanOrEqual(320);
  });
});
