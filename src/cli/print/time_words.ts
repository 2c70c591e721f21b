import { costInWords } from "../files/cost_file.ts";
import { type TimeReport, type TimeSummary, type Timing, timings } from "../reports/split_times.ts";
import { plainTable } from "./plain_table.ts";
import { count, decimalsOf, share } from "./words.ts";

const labels: Record<Timing, string> = {
  originals: "none",
  even: "even",
  tokens: "by tokens",
  time: "by time",
  bound: "bound",
};

export const longLabels = { ...labels, originals: "no replicas", even: "even split" };

/** Of a row per layer, behind the layer's name. */
export const timeColumns = [...timings.map((name) => labels[name]), "gap"];

/** What stands above the table. */
export function timeHeading({ cost }: TimeReport): string {
  return `Time until the last GPU is done with its experts, in ${cost.unit}`;
}

/** Cells of the columns. */
export function timeCells(summary: TimeSummary, report: TimeReport): string[] {
  if (summary.batches === 0) return timeColumns.map(() => "-");
  return [...timings.map((name) => timeInWords(summary[name].mean, report)), gapInWords(summary)];
}

/** With as many decimals, whichever time it is, as show four figures of the whole. */
export function timeInWords(time: number, { all }: TimeReport): string {
  return time.toFixed(decimalsOf(all.time.mean));
}

const percent = (gap: number) => `${(100 * gap).toPrecision(2)} %`;

export function gapInWords({ gap, optimal, batches }: TimeSummary): string {
  return optimal === batches ? "optimal" : percent(gap);
}

/** A row per layer, and one for all. */
export function timeRows(report: TimeReport): string[][] {
  const rows = report.layers.map((layer, i) => [`${i}`, ...timeCells(layer, report)]);
  return [["layer", ...timeColumns], ...rows, ["all", ...timeCells(report.all, report)]];
}

export function timeTable(report: TimeReport): string {
  return [`${timeHeading(report)}, mean over the steps:`, plainTable(timeRows(report))].join("\n");
}

/** A row per way to split, of all layers. */
export function timeSummaryTable(report: TimeReport): string {
  const { all } = report;
  const rows = timings.map((name) => [
    longLabels[name],
    ...[all[name].mean, all[name].p95].map((time) => timeInWords(time, report)),
  ]);
  return [`${timeHeading(report)}:`, plainTable([["time", "mean", "95th percentile"], ...rows])].join("\n");
}

/** Sentences for below the table. */
export function timeLegend({ cost, stepsPerRow, regime, all }: TimeReport): string[] {
  const { batches, optimal, gap } = all;
  return [
    "By tokens, the LP's split; by time, the split that is done soonest of those found; bound, proven: no split is done sooner.",
    optimal === batches
      ? `By time is optimal in all ${count(batches)} batches.`
      : `By time is at the bound in ${count(optimal)} of ${count(batches)} batches; the mean gap is ${percent(gap)}.`,
    regimeInWords(regime),
    followsInWords(all),
    costInWords(cost),
    ...(stepsPerRow === 1
      ? []
      : [`A row of the recording sums ${count(stepsPerRow)} steps; all figures are of their mean.`]),
  ];
}

/** Which regime, and the figures that show it. */
function regimeInWords({ kind, tokensPerExpert, turn, below, weights, arithmetic }: TimeReport["regime"]): string {
  const figure = (n: number) => count(Number(n.toPrecision(3)));
  const mean = `an expert that has tokens has ${figure(tokensPerExpert)} on average`;
  const fewer = `, and ${share(below)} have fewer than ${figure(turn ?? 0)}, from where on arithmetic takes longer than reading weights`;
  const turning = turn === undefined ? ", and any number takes as long as one" : turn > 1 ? fewer : "";
  const single = `with one token each, experts would still take ${share(weights)} of the time`;
  const pace = `${share(arithmetic)} of the time is in proportion to tokens`;
  if (kind === "memory-bound") return `Memory-bound: ${mean}${turning}; ${single}. So activated experts count.`;
  if (kind === "compute-bound") return `Compute-bound: ${mean}${turning}; ${pace}. Tokens count most.`;
  return `Between memory-bound and compute-bound: ${mean}${turning}; ${single}, and ${pace}.`;
}

/** What it costs to balance the other thing. */
function followsInWords({ tokens, time, even, originals }: TimeSummary): string {
  const times = (mean: number) => (time.mean === 0 ? 1 : mean / time.mean).toFixed(3);
  const others = `split evenly ${times(even.mean)} times, without replicas ${times(originals.mean)} times`;
  return `Split by tokens a layer takes ${times(tokens.mean)} times as long as by time, ${others}.`;
}
