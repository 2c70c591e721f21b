import type { Analysis } from "../reports/analysis.ts";
import { type SplitName, splits } from "../reports/split_imbalance.ts";
import { columns, legend, rowOf } from "./analysis_words.ts";
import { barChart, heatMap, lineChart } from "./charts.ts";
import { escapeHtml, figure, htmlPage, htmlTable } from "./html_page.ts";
import { timeHeading, timeLegend, timeRows } from "./time_words.ts";

const labels: Record<SplitName, string> = { originals: "no replicas", even: "even split", solved: "LP" };
/** Layers whose GPU loads are drawn: those with the largest imbalance under the even split. */
const DRAWN = 3;
/** Height of a row of a heat map, and of what is around the rows. */
const ROW = 14;
const AROUND = 90;

/** The report that `analyze --html` writes. */
export function analysisPage(analysis: Analysis): string {
  const { gpus, layers, source, overTime, measuredSteps } = analysis;
  const gpuNames = Array.from({ length: gpus }, (_, g) => `${g}`);
  const withTokens = layers.filter(({ batches }) => batches > 0);
  const worst = withTokens.sort((a, b) => b.even.mean - a.even.mean).slice(0, DRAWN);
  const series = (values: (name: SplitName) => number[]) =>
    splits.map((name) => ({ name: labels[name], values: values(name) }));

  const overview =
    measuredSteps.length === 1
      ? []
      : [
          "<h2>Imbalance over time</h2>",
          figure(
            lineChart({
              x: { name: "step", min: measuredSteps[0] },
              y: { name: "max / mean load" },
              series: series((name) => overTime[name]).map(({ name, values }) => ({
                name,
                points: values.map((value, i): [number, number] => [measuredSteps[i], value]),
              })),
            }),
            "Mean over the layers; at 1 no GPU waits for another.",
          ),
        ];
  const loads = worst.map(({ layer, gpuLoad }) =>
    figure(
      barChart(
        { x: "GPU", y: { name: "load / mean", min: 0 }, categories: gpuNames, series: series((name) => gpuLoad[name]) },
        { height: 240 },
      ),
      `Layer ${layer}, mean of the measured steps.`,
    ),
  );
  const prices = figure(
    heatMap(
      {
        x: "GPU",
        y: "layer",
        columns: gpuNames,
        rows: layers.map(({ layer }) => `${layer}`),
        values: layers.map(({ price }) => price),
      },
      { height: layers.length * ROW + AROUND },
    ),
    "Mean price of each GPU: what a token less on it takes off the load that all wait for. Dark GPUs hold experts that need a " +
      "replica on a white one; a row of one shade is balanced.",
  );
  return htmlPage(`Expert load: ${source}`, [
    `<p>${escapeHtml(legend(analysis).join(" "))}</p>`,
    ...overview,
    "<h2>Load per GPU, before and after</h2>",
    "<p>The layers that are least balanced under the even split.</p>",
    ...loads,
    "<h2>Prices</h2>",
    prices,
    ...tables(analysis),
  ]);
}

function tables({ layers, time }: Analysis): string[] {
  const ofTokens = ["<h2>Layers</h2>", htmlTable([columns, ...layers.map(rowOf)])];
  if (!time) return ofTokens;
  return [
    ...ofTokens,
    "<h2>Time</h2>",
    `<p>${escapeHtml(`${timeHeading(time)}, mean over the steps.`)}</p>`,
    htmlTable(timeRows(time)),
    `<p>${escapeHtml(timeLegend(time).join(" "))}</p>`,
  ];
}
