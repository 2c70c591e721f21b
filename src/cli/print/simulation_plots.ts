/** What becomes of requests and memory over time, and how latencies are distributed. */
import type { cdfNames } from "../reports/latency_cdf.ts";
import type { Drawing, SimulationReport } from "../reports/simulation_report.ts";
import { type Line, lineChart } from "./charts.ts";
import { gpuLoadScale, heatMap } from "./heat_map.ts";
import { figure } from "./html_page.ts";
import { labels } from "./simulation_tables.ts";
import { decimalsFor, timeUnit } from "./simulation_units.ts";
import { count, share } from "./words.ts";

/** However long the simulation was: points of a line, and columns and rows of a map. */
export const MOST_POINTS = 400;
const MOST_COLUMNS = 120;
const MOST_ROWS = 64;
/** Where the largest is more times the smallest than that, lines are told apart on a logarithmic axis only. */
const LOGARITHMIC = 20;

export function queuePlot({ clock }: SimulationReport, drawings: readonly Drawing[]): string {
  const svg = lineChart({
    x: { name: timeName(clock), min: 0, fractions: true },
    y: { name: "requests that wait", min: 0 },
    series: drawings.map(({ policy, series }) => ({ name: policy, points: thinned(series.time, series.queue) })),
  });
  return figure(svg, `Requests that wait, at the router or at workers.${meansOf(drawings)}`);
}

export function memoryPlot({ clock, workers, kvTokens }: SimulationReport, drawings: readonly Drawing[]): string {
  const svg = lineChart({
    x: { name: timeName(clock), min: 0, fractions: true },
    y: { name: "% of the KV memory", min: 0 },
    series: drawings.map(({ policy, series: { time, load } }) => {
      const used = time.map((_, t) => (100 * sum(load.subarray(t * workers, (t + 1) * workers))) / workers / kvTokens);
      return { name: policy, points: thinned(time, used) };
    }),
  });
  return figure(svg, `KV memory held by running requests, of all workers together.${meansOf(drawings)}`);
}

export const timeName = (clock: SimulationReport["clock"]) => (clock === "rounds" ? "time in rounds" : "time in s");

function meansOf(drawings: readonly Drawing[]): string {
  const most = Math.max(...drawings.map(({ series }) => series.time.length));
  return most > MOST_POINTS ? ` Each point is the mean of up to ${Math.ceil(most / MOST_POINTS)} samples.` : "";
}

/** Means of as many samples that follow one another as leave MOST_POINTS at most. */
export function thinned(time: Float64Array, values: Float64Array): [number, number][] {
  const size = Math.max(1, Math.ceil(time.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(time.length / size) }, (_, i) => {
    const mean = (some: Float64Array) =>
      sum(some.subarray(i * size, (i + 1) * size)) / Math.min(size, time.length - i * size);
    return [short(mean(time)), short(mean(values))];
  });
}

/** A plot shows no more, and the page stays small. */
const short = (value: number) => Number(value.toPrecision(6));
const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);

/** Which worker had how much more than the others, and when. */
export function loadMap(report: SimulationReport, { policy, series }: Drawing): string {
  const { workers, clock } = report;
  const { time, load } = series;
  const size = Math.max(1, Math.ceil(time.length / MOST_COLUMNS));
  const columns = Math.ceil(time.length / size);
  const every = Math.ceil(workers / MOST_ROWS);
  const rows = Array.from({ length: Math.ceil(workers / every) }, (_, i) => i * every);
  const ofColumn = Array.from({ length: columns }, (_, c) =>
    meanLoads(load, workers, c * size, Math.min(time.length, (c + 1) * size)),
  );
  const values = rows.map((g) => ofColumn.map((loads) => overMean(loads, g)));
  const times = Array.from({ length: columns }, (_, c) => time[c * size]);
  const decimals = decimalsFor([times[times.length - 1]]);
  const scale = gpuLoadScale;
  const svg = heatMap({
    x: timeName(clock),
    y: "worker",
    columns: times.map((t) => t.toFixed(decimals)),
    rows: rows.map(String),
    values,
    scale,
  });
  const cells = values.flat().filter((value) => value !== undefined);
  const balanced = cells.filter((value) => value >= 0.9 && value < 1.1).length;
  const some = every > 1 ? ` One worker of ${every} is shown, of ${count(workers)} in all.` : "";
  const within =
    cells.length === 0 ? "" : ` ${share(balanced / cells.length)} of the cells are within 10 % of the mean.`;
  return figure(svg, `${policy}: KV tokens of a worker over those of the mean worker.${within}${some}`);
}

/** [workers] over samples from, .., to - 1. */
function meanLoads(load: Float64Array, workers: number, from: number, to: number): Float64Array {
  const sums = new Float64Array(workers);
  for (let t = from; t < to; t++) for (let g = 0; g < workers; g++) sums[g] += load[t * workers + g];
  return sums.map((all) => all / (to - from));
}

function overMean(loads: Float64Array, g: number): number | undefined {
  const mean = sum(loads) / loads.length;
  return mean === 0 ? undefined : loads[g] / mean;
}

/** Nothing where no policy has any. */
export function cdfPlot(
  report: SimulationReport,
  drawings: readonly Drawing[],
  name: (typeof cdfNames)[number],
): string[] {
  const values = drawings.flatMap(({ cdfs }) => cdfs[name].map(([value]) => value));
  if (values.length === 0) return [];
  const { name: unit, perUnit } = timeUnit(values, report.clock);
  const positive = values.filter((value) => value > 0);
  const [least, most] = [Math.min(...positive), Math.max(...positive)];
  const logarithmic = positive.length === values.length && most > LOGARITHMIC * least;
  const series = drawings.map(({ policy, cdfs }): Line => {
    return { name: policy, points: cdfs[name].map(([value, part]) => [short(value * perUnit), part]) };
  });
  const svg = lineChart({
    x: { name: `${labels[name]} in ${unit}`, fractions: true, ...(logarithmic && { type: "log" }) },
    y: { name: "share of the requests", min: 0, max: 1 },
    series,
  });
  return [
    figure(
      svg,
      `Share of the requests whose ${labels[name]} is at most that${logarithmic ? ", on a logarithmic axis" : ""}.`,
    ),
  ];
}
