import type { Analysis, LayerAnalysis } from "../reports/analysis.ts";
import { ofSplits, type SplitName, splits } from "../reports/split_imbalance.ts";
import { columns, legend, rowOf, totalRow } from "./analysis_words.ts";
import { barChart, lineChart } from "./charts.ts";
import { figure, foot, type Headline, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import { loadMaps, priceMap } from "./load_maps.ts";
import type { Made } from "./made.ts";
import { gapInWords, longLabels, timeHeading, timeInWords, timeLegend, timeRows } from "./time_words.ts";
import { trafficParts } from "./traffic_page.ts";
import { count, plural, share } from "./words.ts";

const labels: Record<SplitName, string> = { originals: "no replicas", even: "even split", solved: "LP" };
/** Layers whose GPU loads are drawn one by one. */
const DRAWN = 3;
/** More than that could not be told apart. */
const MOST_BARS = 240;
const MOST_POINTS = 500;
/** What is twice as high is cut off at so many times as far above 1 as the rest. */
const FAR = 3;

/** The report that `analyze --html` writes. */
export function analysisPage(analysis: Analysis, made: Made): string {
  const { layers, source } = analysis;
  const worst = worstLayers(layers);
  return htmlPage(`Expert load: ${source}`, [
    headlines([...imbalanceHeadlines(analysis, worst[0]), ...timeHeadlines(analysis)]),
    htmlParagraph(legend(analysis).join(" ")),
    ...overTime(analysis),
    ...loadMaps(analysis),
    "<h2>The worst layers under the LP</h2>",
    htmlParagraph("Mean load per GPU of the layers that stay least balanced, over the measured steps."),
    ...worst.slice(0, DRAWN).map((layer) => loadsOf(layer)),
    ...priceMap(analysis),
    ...tables(analysis),
    ...trafficParts(analysis.traffic),
    foot(made),
  ]);
}

/** Those that have tokens, by their mean imbalance under the LP: what no split mends. */
function worstLayers(layers: readonly LayerAnalysis[]): LayerAnalysis[] {
  return layers.filter(({ batches }) => batches > 0).sort((a, b) => b.solved.mean - a.solved.mean);
}

function imbalanceHeadlines({ all, layers, measuredSteps, steps }: Analysis, worst: LayerAnalysis): Headline[] {
  const batches = layers.reduce((sum, layer) => sum + layer.batches, 0);
  const optimal = layers.reduce((sum, layer) => sum + layer.optimal, 0);
  const won = 1 - all.solved.mean / all.even.mean;
  return [
    ...splits.map((name) => ({
      name: `Imbalance, ${labels[name]}`,
      value: all[name].mean.toFixed(3),
      note: `95th percentile ${all[name].p95.toFixed(3)}`,
    })),
    {
      name: "What the LP wins",
      value: `${(100 * won).toFixed(1)} %`,
      note: "off the busiest GPU's load, split evenly",
    },
    { name: "Proven optimal", value: share(optimal / batches), note: `${count(optimal)} of ${plural(batches, "LP")}` },
    { name: "Worst under the LP", value: `layer ${worst.layer}`, note: `imbalance ${worst.solved.mean.toFixed(3)}` },
    { name: "One more replica", ...replicaHeadline(layers) },
    { name: "Measured", value: plural(measuredSteps.length, "step"), note: `of ${count(steps)} recorded` },
  ];
}

/** The one that takes most off the imbalance of its layer. */
function replicaHeadline(layers: readonly LayerAnalysis[]): Omit<Headline, "name"> {
  const best = layers.reduce((a, b) => ((b.replica?.saved ?? 0) > (a.replica?.saved ?? 0) ? b : a));
  if (!best.replica) return { value: "no help", note: "in any layer" };
  const { saved, expert, gpu } = best.replica;
  return { value: `-${saved.toFixed(3)}`, note: `expert ${expert} on GPU ${gpu} in layer ${best.layer}` };
}

function timeHeadlines({ time }: Analysis): Headline[] {
  if (!time) return [];
  const { all, cost } = time;
  return (["even", "tokens", "time", "bound"] as const).map((name) => ({
    name: `Time, ${longLabels[name]}`,
    value: timeInWords(all[name].mean, time),
    note:
      name === "bound"
        ? `gap: ${gapInWords(all)}`
        : `95th percentile ${timeInWords(all[name].p95, time)}, in ${cost.unit}`,
  }));
}

function overTime({ overTime: mean, p95OverTime: p95, measuredSteps: steps }: Analysis): string[] {
  if (steps.length === 1) return [];
  const { max, cut } = topOf(ofSplits((name) => Math.max(...p95[name])));
  const each = Math.ceil(steps.length / MOST_POINTS);
  const xs = meanOfEach(each, steps);
  const svg = lineChart({
    x: { name: "step", min: steps[0] },
    y: { name: "max / mean load", min: 1, max },
    series: splits.map((name) => ({
      name: labels[name],
      points: meanOfEach(each, mean[name]).map((value, i): [number, number] => [xs[i], value]),
      upTo: meanOfEach(each, p95[name]),
    })),
  });
  const points = each === 1 ? "" : ` Each point is the mean of ${each} steps.`;
  return [
    "<h2>Imbalance over time</h2>",
    figure(
      svg,
      `A line is the mean over the layers, its band reaches up to their 95th percentile; at 1 no GPU waits for another.${cut}${points}`,
    ),
  ];
}

/** How far a plot goes up: far above the rest, what there is without replicas would press it flat. */
function topOf({ originals, even, solved }: Record<SplitName, number>): { max?: number; cut: string } {
  const top = 1 + FAR * Math.max(0.01, even - 1, solved - 1);
  if (originals <= 2 * top) return { cut: "" };
  return {
    max: Math.ceil(10 * top) / 10,
    cut: ` Without replicas it goes up to ${originals.toFixed(1)}, beyond the plot.`,
  };
}

/** Of every so many values that follow one another, the last of them perhaps of fewer. */
function meanOfEach(size: number, values: readonly number[]): number[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
    const some = values.slice(i * size, (i + 1) * size);
    return some.reduce((a, b) => a + b) / some.length;
  });
}

/** A bar for each GPU and split or, for many GPUs, which have a column each in the map, a line from the busiest to the idlest. */
function loadsOf({ layer, gpuLoad, solved, even }: LayerAnalysis): string {
  const gpus = gpuLoad.solved.length;
  const caption = `Layer ${layer}: imbalance ${even.mean.toFixed(3)} split evenly, ${solved.mean.toFixed(3)} under the LP.`;
  const { max, cut } = topOf(ofSplits((name) => Math.max(...gpuLoad[name])));
  const y = { name: "load / mean", min: 0, max };
  const size = { height: 260 };
  if (splits.length * gpus <= MOST_BARS) {
    const series = splits.map((name) => ({ name: labels[name], values: gpuLoad[name] }));
    const categories = gpuLoad.solved.map((_, g) => `${g}`);
    return figure(barChart({ x: "GPU", y, categories, series }, size), `${caption}${cut}`);
  }
  const series = splits.map((name) => ({
    name: labels[name],
    points: gpuLoad[name].toSorted((a, b) => b - a).map((load, i): [number, number] => [i + 1, load]),
  }));
  const busiest = splits.map((name) => `${gpuLoad[name].indexOf(Math.max(...gpuLoad[name]))} (${labels[name]})`);
  return figure(
    lineChart({ x: { name: "GPUs, from the busiest to the least busy", min: 1 }, y, series }, size),
    `${caption}${cut} Each split has its own order; the busiest GPUs are ${busiest.join(", ")}.`,
  );
}

function tables(analysis: Analysis): string[] {
  const { layers, time } = analysis;
  const ofTokens = ["<h2>Layers</h2>", htmlTable([columns, ...layers.map(rowOf), totalRow(analysis)], "total")];
  if (!time) return ofTokens;
  return [
    ...ofTokens,
    "<h2>Time</h2>",
    htmlParagraph(`${timeHeading(time)}, mean over the steps.`),
    htmlTable(timeRows(time), "total"),
    htmlParagraph(timeLegend(time).join(" ")),
  ];
}
