import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planPage } from "../../../src/cli/print/plan_page.ts";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { type PlanReport, plan } from "../../../src/cli/reports/plan_report.ts";
import type { CurvePoint } from "../../../src/cli/reports/redundancy_curve.ts";
import { chromiumPresent, evaluateInChromium, needsChromium } from "../../helpers/chromium.ts";
import { captionsOf, headlinesOf, inPage, tablesOf } from "./html.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-plan-page-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [layers, experts, gpus, redundant] = [61, 16, 4, 4];
const made = { command: "evenkeel plan <loads>", version: "1.2.3", date: "2026-01-02T03:04:05Z" };
/** Decreasing towards 1 with more replicas, the 95th percentile being further from it than the mean. */
const curve: CurvePoint[] = [0, 4, 8, 16].map((redundant, i) => {
  const imbalance = (excess: number) => ({ mean: 1 + excess, p95: 1 + 2 * excess, cvar: 1 + 3 * excess });
  return { redundant, eplb: imbalance(0.8 / (i + 1)), plan: imbalance(0.5 / (i + 1)), bound: 1 + 0.1 / (i + 1) };
});

let report: PlanReport;
beforeAll(async () => {
  const history = generateLoads({ steps: 6, layers, experts }, 1);
  history.loads.fill(0, 0, experts); // layer 0 is dense
  for (let step = 1; step < 6; step++) history.loads.fill(0, step * layers * experts, (step * layers + 1) * experts);
  const options = {
    gpus,
    redundant,
    nodes: 1,
    objective: "mean",
    seed: 1,
    dead: [],
    sharedTopology: false,
    budgetMs: 0,
  } as const;
  const moeLayers = Array.from({ length: layers - 1 }, (_, i) => 1 + i);
  const wanted = { ...options, dead: [], moeLayers, inForce: undefined, maxMoved: undefined, tryOut: () => {} };
  ({ report } = await plan(history, wanted, () => {}, new AbortController().signal));
});

test("has the figures of all layers at its head, and in the table's last row", () => {
  const html = planPage(report, [], made);
  const { eplb, optimized } = report;
  const figures = (imbalance: PlanReport["eplb"]["all"]["even"]) => [
    imbalance.mean.toFixed(3),
    `95th percentile ${imbalance.p95.toFixed(3)}`,
  ];
  const found = headlinesOf(html);
  expect(found.slice(0, 3)).toEqual([
    ["Imbalance, EPLB even", ...figures(eplb.all.even)],
    ["Imbalance, EPLB + LP", ...figures(eplb.all.solved)],
    ["Imbalance, plan + LP", ...figures(optimized.all.solved)],
  ]);
  const worst = optimized.layers.reduce((most, { solved }) => Math.max(most, solved.mean), 1);
  const layer = optimized.layers.findIndex(({ solved }) => solved.mean === worst);
  expect(found[4]).toEqual(["Worst under the plan", `layer ${layer}`, `imbalance ${worst.toFixed(3)}`]);
  expect(found.map(([name]) => name)).not.toContain("Slots moved");
  const [table] = tablesOf(html);
  expect(table).toHaveLength(1 + layers + 1);
  expect(table[1]).toEqual(["0", "-", "-", "-", "-", "-"]);
  const { all } = eplb;
  const last = [all.originals, all.even, all.solved, optimized.all.even, optimized.all.solved];
  expect(table.at(-1)).toEqual(["all", ...last.map(({ mean }) => mean.toFixed(3))]);
  expect(html).toContain(`<tr class="total"><td>all</td>`);
});

test("says what is moved where there is a placement in force", () => {
  const moving = {
    ...report,
    inForce: report.eplb,
    search: { ...report.search, layers: report.search.layers.map((layer) => ({ ...layer, moved: 2 })) },
  };
  const html = planPage(moving, [], made);
  const found = headlinesOf(html);
  expect(found).toContainEqual(["Slots moved", "122", "in 61 layers"]);
  expect(found[2][0]).toBe("Imbalance, in force + LP");
  expect(tablesOf(html)[0].at(-1)!.at(-1)).toBe("122");
});

test("has the curve from two points on, with its numbers", () => {
  const html = planPage(report, curve, made);
  expect(html).toContain("<h2>Redundancy</h2>");
  expect(tablesOf(html)[0]).toEqual([
    ["redundant", "EPLB + LP", "p95", "plan + LP", "p95", "bound"],
    ["0", "1.800", "2.600", "1.500", "2.000", "1.100"],
    ["4", "1.400", "1.800", "1.250", "1.500", "1.050"],
    ["8", "1.267", "1.533", "1.167", "1.333", "1.033"],
    ["16", "1.200", "1.400", "1.125", "1.250", "1.025"],
  ]);
  expect(html.match(/<polygon [^>]*fill-opacity="0.14"/g)).toHaveLength(2); // bands, none for the bound
  expect(captionsOf(html)[0]).toContain("mean imbalance");
  for (const few of [[], curve.slice(0, 1)]) expect(planPage(report, few, made)).not.toContain("Redundancy");
});

test("the curve may be of times", () => {
  const measured = {
    source: "times.csv",
    cost: { model: "affine", perExpert: 1, perToken: 1 },
    last: 1e3,
    fit: { rows: 9, error: 0.01 },
  } as const;
  const times = curve.map(({ redundant, eplb, plan, bound }) => {
    const us = ({ mean, p95, cvar }: CurvePoint["eplb"]) => ({ mean: 100 * mean, p95: 100 * p95, cvar: 100 * cvar });
    return { redundant, eplb: us(eplb), plan: us(plan), bound: 100 * bound };
  });
  const html = planPage(report, times, made, measured);
  expect(captionsOf(html)[0]).toContain("mean time in us of the measured batches");
  expect(html).toMatch(/<text[^>]*>time in us<\/text>/);
  expect(tablesOf(html)[0][1]).toEqual(["0", "180.0", "260.0", "150.0", "200.0", "110.0"]);
});

test("says at its foot what made it", () => {
  expect(planPage(report, [], made)).toMatch(
    /<code>evenkeel plan &lt;loads&gt;<\/code>, version 1\.2\.3, on <time[^>]*>2026-01-02T03:04:05Z/,
  );
});

describe.runIf(chromiumPresent)(`in a browser ${needsChromium}`, () => {
  const page = join(folder, "plan.html");
  beforeAll(() => writeFileSync(page, planPage(report, curve, made)));

  test("a bar for each layer with tokens and placement, and all texts to be read", async () => {
    const bars = `[...document.querySelectorAll("figure")].at(-1).querySelectorAll("path[fill^='var(--series']").length`;
    expect(await evaluateInChromium(pathToFileURL(page), bars)).toBe(2 * (layers - 1) + 2); // and the legend's
    expect(await evaluateInChromium(pathToFileURL(page), inPage.overlaps)).toEqual([]);
  });

  test.each([320, 1280])("at %i pixels nothing but tables and plots in their boxes is wider", async (width) => {
    expect(await evaluateInChromium(pathToFileURL(page), inPage.width, { width })).toBeLessThanOrEqual(width);
  });
});
