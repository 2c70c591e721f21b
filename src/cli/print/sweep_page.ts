import { paretoAxes, type SweptMean } from "../../serving/sweep/pareto.ts";
import type { SweepReport } from "../reports/sweep_report.ts";
import { foot, type Headline, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import type { Made } from "./made.ts";
import { threeFigures, timeInWords } from "./simulation_units.ts";
import { frontPlots, workerPlots } from "./sweep_plots.ts";
import { breakingTable, fewestTable, frontTable, policyName, unitOfRate } from "./sweep_tables.ts";
import { BREAKING_HEADING, fewestHeading, frontHeading, legend } from "./sweep_words.ts";
import { count, plural } from "./words.ts";

/** The report that `sweep --html` and `merge --html` write. */
export function sweepPage(report: SweepReport, made: Made): string {
  const [fewest, breaking] = [fewestTable(report), breakingTable(report)];
  const workers = workerPlots(report);
  return htmlPage(`What if: ${report.source}`, [
    headlines(headlinesOf(report)),
    htmlParagraph(legend(report).join(" ")),
    `<h2>${frontHeading(report)}</h2>`,
    ...frontPlots(report),
    htmlTable(frontTable(report)),
    ...(workers.length > 0 ? ["<h2>More workers</h2>", ...workers] : []),
    ...(fewest ? [`<h2>${fewestHeading(report)}</h2>`, htmlTable(fewest)] : []),
    ...(breaking ? [`<h2>${BREAKING_HEADING}</h2>`, htmlTable(breaking)] : []),
    foot(made),
  ]);
}

/** The best of each axis, of the whole front. */
function headlinesOf(report: SweepReport): Headline[] {
  const { front, grid, scenarios, requests } = report;
  const per = unitOfRate(report);
  const time = (value: number) => timeInWords(value, grid.clock);
  const axes: Record<(typeof paretoAxes)[number], [string, (one: SweptMean) => number, (value: number) => string]> = {
    ttft: ["99th percentile of TTFT", ({ ttft }) => ttft.p99, time],
    tpot: ["99th percentile of TPOT", ({ tpot }) => tpot.p99, time],
    throughput: ["Tokens a worker", (one) => one.workerThroughput, (value) => `${threeFigures(value)}/${per}`],
    energy: ["Energy per token", (one) => one.energyPerToken, (value) => `${threeFigures(value)} J`],
  };
  const best = paretoAxes.flatMap((axis): Headline[] => {
    const [name, of, shown] = axes[axis];
    const known = front.filter((one) => Number.isFinite(of(one)));
    const sign = axis === "throughput" ? -1 : 1;
    const [first] = known.toSorted((a, b) => sign * (of(a) - of(b)));
    return first ? [{ name, value: shown(of(first)), note: `with ${configuration(report, first)}` }] : [];
  });
  return [
    ...best,
    { name: "Simulated", value: plural(scenarios.length, "scenario"), note: `of ${plural(requests, "request")}` },
  ];
}

function configuration(report: SweepReport, one: SweptMean): string {
  const rate = one.rate === undefined ? "" : ` at ${threeFigures(one.rate)}/${unitOfRate(report)}`;
  return `${policyName(report, one)}, ${count(one.workers)} ${one.workers === 1 ? "worker" : "workers"}${rate}`;
}
