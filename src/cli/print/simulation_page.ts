import type { PriceCurve } from "../reports/price_curve.ts";
import type { FigureName } from "../reports/simulation_figures.ts";
import type { Drawing, SimulationReport } from "../reports/simulation_report.ts";
import { foot, type Headline, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import type { Made } from "./made.ts";
import { pricePlots } from "./price_plots.ts";
import { cdfPlot, loadMap, memoryPlot, queuePlot } from "./simulation_plots.ts";
import { differenceTable, figure, spreadTable, workTable } from "./simulation_tables.ts";
import { percent, threeFigures, timeInWords, timesInWords } from "./simulation_units.ts";
import { differenceHeading, legend } from "./simulation_words.ts";
import { count, plural } from "./words.ts";

/**
 * The report that `simulate --html` writes.
 *
 * @param drawings  of the first seed, in the order of the policies.
 * @param prices  of the first seed, where they prove a bound.
 */
export function simulationPage(
  report: SimulationReport,
  drawings: readonly Drawing[],
  prices: PriceCurve | undefined,
  made: Made,
): string {
  const first = report.seeds.length > 1 ? [htmlParagraph(`Plots are of seed ${report.seeds[0]}.`)] : [];
  return htmlPage(`Policies simulated: ${report.source}`, [
    headlines(headlinesOf(report)),
    htmlParagraph(legend(report).join(" ")),
    "<h2>Latencies</h2>",
    ...first,
    ...cdfPlot(report, drawings, "ttft"),
    table(spreadTable(report, "ttft")),
    ...cdfPlot(report, drawings, "tpot"),
    table(spreadTable(report, "tpot")),
    ...cdfPlot(report, drawings, "latency"),
    table(spreadTable(report, "latency")),
    ...differences(report),
    htmlParagraph("Wait: from arrival to the first start."),
    table(spreadTable(report, "wait")),
    htmlParagraph("ITL: between two tokens of a request, over all tokens; percentiles within 1 %."),
    table(spreadTable(report, "itl")),
    "<h2>Work</h2>",
    table(workTable(report)),
    "<h2>Over time</h2>",
    queuePlot(report, drawings),
    memoryPlot(report, drawings),
    ...pricePlots(report, prices),
    "<h2>Load by worker</h2>",
    htmlParagraph(
      "Grey is about the mean of the workers at that time, red above it, blue below. Blank: nobody holds anything.",
    ),
    ...drawings.map((drawing) => loadMap(report, drawing)),
    foot(made),
  ]);
}

/** A page is not bound to what every terminal can show. */
function table(rows: string[][]): string {
  return htmlTable(rows.map((row) => row.map((cell) => cell.replace("+-", "\u00b1"))));
}

function differences(report: SimulationReport): string[] {
  const rows = differenceTable(report);
  return rows ? [htmlParagraph(`${differenceHeading(report)}.`), table(rows)] : [];
}

function headlinesOf(report: SimulationReport): Headline[] {
  const { clock, requests, recorded, workers, slots } = report;
  const time = (value: number) => timeInWords(value, clock);
  const per = clock === "rounds" ? "round" : "s";
  const [{ summaries }] = report.policies;
  return [
    best(report, "Mean TTFT", "ttft.mean", time),
    best(report, "99th percentile of TTFT", "ttft.p99", time),
    best(report, "Mean TPOT", "tpot.mean", time),
    best(report, "99th percentile of E2E", "latency.p99", time),
    best(report, "Tokens", "tokenThroughput", (value) => `${threeFigures(value)}/${per}`, "most"),
    ...(report.slo ? [best(report, "Goodput", "goodput", (value) => `${threeFigures(value)}/${per}`, "most")] : []),
    best(report, "Idle", "idle", percent),
    ...boundHeadline(report),
    {
      name: "Simulated",
      value: plural(requests, "request"),
      note: `${requests < recorded ? `of ${count(recorded)}, ` : ""}${plural(workers, "worker")} with ${plural(slots, "slot")}`,
    },
    { name: "Served in", value: time(summaries[0].makespan), note: `with ${report.policies[0].policy}` },
  ];
}

function boundHeadline(report: SimulationReport): Headline[] {
  const { bound, clock, policies } = report;
  if (bound === undefined || "none" in bound) return [];
  const [closest] = policies.toSorted((a, b) => a.overBound! - b.overBound!);
  const note = `${closest.policy} is ${timesInWords(closest.overBound!)} times that`;
  return [{ name: "Bound of mean E2E", value: timeInWords(bound.mean, clock), note }];
}

/** The best of a figure, who has it, and what the reference has. */
function best(
  { policies, reference: named }: SimulationReport,
  name: string,
  of: FigureName,
  shown: (value: number) => string,
  better: "least" | "most" = "least",
): Headline {
  const sign = better === "least" ? 1 : -1;
  const [first] = policies.toSorted((a, b) => sign * (figure(a, of).mean - figure(b, of).mean));
  const reference = policies.find(({ policy }) => policy === named)!;
  const value = shown(figure(first, of).mean);
  const theirs = shown(figure(reference, of).mean);
  return {
    name,
    value,
    note: first === reference ? `with ${named}` : `with ${first.policy}; ${named} ${theirs}`,
  };
}
