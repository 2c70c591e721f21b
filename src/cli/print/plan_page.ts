import { type CostFile, unitOf } from "../files/cost_file.ts";
import type { PlanReport } from "../reports/plan_report.ts";
import type { CurvePoint } from "../reports/redundancy_curve.ts";
import { barChart } from "./charts.ts";
import { figure, foot, type Headline, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import type { Made } from "./made.ts";
import {
  boundInWords,
  planColumns,
  planTable,
  slotsMoved,
  timesHeading,
  timesTable,
  whatIsMeasured,
} from "./plan_words.ts";
import { redundancyPlot } from "./redundancy_plot.ts";
import { count, plural } from "./words.ts";

/**
 * The report that `plan --html` writes.
 *
 * @param curve  In ascending order of replicas; drawn from two points on.
 * @param cost  Of tokens, by which the report has times.
 */
export function planPage(report: PlanReport, curve: readonly CurvePoint[], made: Made, cost?: CostFile): string {
  const quantity = cost ? `time in ${unitOf(cost)}` : "imbalance";
  return htmlPage(`Expert placement: ${report.source}`, [
    headlines([...imbalanceHeadlines(report), ...otherHeadlines(report)]),
    htmlParagraph([...whatIsMeasured(report), ...boundInWords(report)].join(" ")),
    ...redundancyPlot(curve, quantity),
    "<h2>Layers</h2>",
    layersPlot(report),
    htmlTable(planTable(report), "total"),
    ...timesSection(report, cost),
    foot(made),
  ]);
}

function timesSection(report: PlanReport, cost: CostFile | undefined): string[] {
  if (!report.time || !cost) return [];
  const rows = timesTable(report.time, report);
  return ["<h2>Time</h2>", htmlParagraph(`${timesHeading(cost)}.`), htmlTable(rows, "total")];
}

function imbalanceHeadlines(report: PlanReport): Headline[] {
  const shown = planColumns(report).filter(({ name }) => name === "EPLB even" || name.endsWith("+ LP"));
  return shown.map(({ name, measured, of }) => ({
    name: `Imbalance, ${name}`,
    value: of(measured.all).mean.toFixed(3),
    note: `95th percentile ${of(measured.all).p95.toFixed(3)}`,
  }));
}

function otherHeadlines(report: PlanReport): Headline[] {
  const { eplb, optimized, inForce, gpus, experts, redundant, measuredSteps, steps, seconds, layers } = report;
  const won = 1 - optimized.all.solved.mean / eplb.all.solved.mean;
  const worst = optimized.layers.reduce((a, b, i, all) => (b.solved.mean > all[a].solved.mean ? i : a), 0);
  const moved = { name: "Slots moved", value: count(slotsMoved(report)), note: `in ${plural(layers, "layer")}` };
  return [
    { name: "What the plan wins", value: `${(100 * won).toFixed(1)} %`, note: "off the imbalance of EPLB + LP" },
    {
      name: "Worst under the plan",
      value: `layer ${worst}`,
      note: `imbalance ${optimized.layers[worst].solved.mean.toFixed(3)}`,
    },
    ...(inForce ? [moved] : []),
    { name: "Redundant experts", value: count(redundant), note: `${count(experts)} experts on ${plural(gpus, "GPU")}` },
    { name: "Measured", value: plural(measuredSteps.length, "step"), note: `of ${count(steps)} recorded` },
    { name: "Search", value: `${seconds.toFixed(0)} s`, note: `ended by ${endOf(report)}` },
  ];
}

const endOf = ({ search }: PlanReport) => (search.stoppedBy === "budget" ? "its budget" : "itself");

/** Bars from 1 on, where no GPU waits for another; none for a layer without tokens. */
function layersPlot({ eplb, optimized, objective }: PlanReport): string {
  const values = ({ layers }: PlanReport["eplb"]) =>
    layers.map(({ batches, solved }) => (batches === 0 ? undefined : solved[objective]));
  const svg = barChart({
    x: "layer",
    y: { name: `imbalance (${objective})`, min: 1 },
    categories: eplb.layers.map((_, layer) => `${layer}`),
    series: [
      { name: "EPLB + LP", values: values(eplb), colour: 1 },
      { name: "plan + LP", values: values(optimized), colour: 2 },
    ],
  });
  return figure(svg, "Imbalance of each layer under the LP, by EPLB's placement and by the plan.");
}
