/** Rows as a page of plots: time per LP against the batch and against the number of GPUs, a line per solver; and those of placements. */
import { lineChart } from "../src/cli/print/charts.ts";
import { figure, htmlPage, htmlTable } from "../src/cli/print/html_page.ts";
import type { Row } from "./harness.ts";
import { placementCharts } from "./placement_plots.ts";

const SIZE = { width: 900, height: 420 };

/** @param table  Header and rows, as on the screen. */
export function plotsPage(
  rows: readonly Row[],
  notes: readonly string[],
  table: readonly (readonly string[])[],
  meta: object,
): string {
  const batches = rows.filter(({ question }) => question === "scaling-batch");
  const charts = [...new Set(batches.map(({ topology }) => topology))].map((topology) => {
    const own = batches.filter((row) => row.topology === topology);
    return figure(timePerLp(own, "batch", "LPs in a batch"), `${topology}: time per LP against the batch.`);
  });
  const gpus = rows.filter(({ question }) => question === "scaling-gpus");
  if (gpus.length > 0) {
    const batch = gpus[0].batch;
    charts.push(figure(timePerLp(gpus, "gpus", "GPUs"), `Time per LP against the number of GPUs, batch ${batch}.`));
  }
  return htmlPage("evenkeel bench", [
    htmlTable([["measured on", ""], ...Object.entries(meta).map(([name, value]) => [name, String(value)])]),
    ...charts,
    ...placementCharts(rows),
    htmlTable([["What the rows say together"], ...notes.map((note) => [note])]),
    "<h2>Rows</h2>",
    htmlTable(table),
  ]);
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
