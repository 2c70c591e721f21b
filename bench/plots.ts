/** Rows as a page of plots: time per LP against the batch and against the number of GPUs, a line per solver; and those of placements. */
import { lineChart } from "../src/cli/print/charts.ts";
import { figure, htmlPage, htmlTable } from "../src/cli/print/html_page.ts";
import { type Chart, placementCharts } from "./placement_plots.ts";
import type { Row } from "./row.ts";

const SIZE = { width: 900, height: 420 };

/** @param table  Header and rows, as on the screen. */
export function plotsPage(
  rows: readonly Row[],
  notes: readonly string[],
  table: readonly (readonly string[])[],
  meta: object,
): string {
  return htmlPage("evenkeel bench", [
    htmlTable([["measured on", ""], ...Object.entries(meta).map(([name, value]) => [name, String(value)])]),
    ...chartsOf(rows).map(({ svg, caption }) => figure(svg, caption)),
    htmlTable([["What the rows say together"], ...notes.map((note) => [note])]),
    "<h2>Rows</h2>",
    htmlTable(table),
  ]);
}

/** What rows of several batches, numbers of GPUs or placements show. */
export function chartsOf(rows: readonly Row[]): Chart[] {
  const batches = rows.filter(({ question }) => question === "scaling-batch");
  const charts = [...new Set(batches.map(({ topology }) => topology))].map((topology) => {
    const own = batches.filter((row) => row.topology === topology);
    const caption = `${topology}: time per LP against the batch.`;
    return { svg: timePerLp(own, "batch", "LPs in a batch"), caption };
  });
  const gpus = rows.filter(({ question }) => question === "scaling-gpus");
  if (gpus.length > 0) {
    const caption = `Time per LP against the number of GPUs, batch ${gpus[0].batch}.`;
    charts.push({ svg: timePerLp(gpus, "gpus", "GPUs"), caption });
  }
  return [...charts, ...placementCharts(rows)];
}

function timePerLp(rows: readonly Row[], by: "batch" | "gpus", name: string): string {
  const series = [...new Set(rows.map(({ solver }) => solver))].map((solver) => ({
    name: solver,
    points: rows
      .filter((row) => row.solver === solver)
      .map((row): [number, number] => [row[by], row.usPerLp])
      .sort(([a], [b]) => a - b),
  }));
  return lineChart({ x: { name, type: "log" }, y: { name: "us per LP", type: "log" }, series }, SIZE);
}
