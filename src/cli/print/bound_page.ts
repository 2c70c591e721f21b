import type { BoundReport } from "../reports/bound_report.ts";
import type { PriceCurve } from "../reports/price_curve.ts";
import { boundLegend, boundTable } from "./bound_report_words.ts";
import { foot, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import type { Made } from "./made.ts";
import { pricePlots } from "./price_plots.ts";
import { timeInWords, timesInWords } from "./simulation_units.ts";
import { count, plural } from "./words.ts";

/** The report that `bound --html` writes. */
export function boundPage(report: BoundReport, prices: PriceCurve | undefined, made: Made): string {
  const { source, bound, schedules, clock, requests, recorded, workers, kvTokens } = report;
  const [closest] = schedules.toSorted((a, b) => a.mean - b.mean);
  const plots = pricePlots(report, prices);
  const none = htmlParagraph("Nothing has a price: nobody has to wait.");
  return htmlPage(`How far from the best: ${source}`, [
    headlines([
      { name: "Bound of mean E2E", value: timeInWords(bound.mean, clock), note: "no schedule is below it" },
      {
        name: `Mean E2E with ${closest.schedule}`,
        value: timeInWords(closest.mean, clock),
        note: `${timesInWords(closest.overBound)} times the bound`,
      },
      {
        name: "Requests",
        value: count(requests),
        note: `${requests < recorded ? `of ${count(recorded)}, ` : ""}${plural(workers, "worker")} with ${count(kvTokens)} KV tokens`,
      },
    ]),
    htmlTable(boundTable(report)),
    htmlParagraph(boundLegend(report).join(" ")),
    "<h2>What more would be worth, and when</h2>",
    ...(plots.length > 0 ? plots : [none]),
    foot(made),
  ]);
}
