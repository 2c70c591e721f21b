/** Where assignments go from their sources, as tables and a plot. */
import { totalOf } from "../reports/assignment_places.ts";
import type { TrafficStudy } from "../reports/traffic_study.ts";
import { lineChart } from "./charts.ts";
import { figure, htmlParagraph, htmlTable } from "./html_page.ts";
import { slackRows, trafficLegend, trafficRows } from "./traffic_words.ts";

/** Nothing where nobody asked. */
export function trafficParts(study: TrafficStudy | undefined): string[] {
  if (study === undefined) return [];
  return [
    "<h2>Traffic</h2>",
    htmlTable(trafficRows(study)),
    htmlParagraph(trafficLegend(study).join(" ")),
    slackPlot(study),
    htmlTable(slackRows(study)),
  ];
}

function slackPlot({ curve }: TrafficStudy): string {
  const points = curve.points.map((point): [number, number] => {
    const total = totalOf(point);
    return [100 * point.slack, total === 0 ? 0 : (100 * point.otherNodes) / total];
  });
  const svg = lineChart(
    {
      x: { name: "slack, % of the least load", min: 0, fractions: true },
      y: { name: "% of the assignments to other nodes", min: 0 },
      series: [{ name: "least traffic", points }],
    },
    { height: 260 },
  );
  return figure(svg, "How much less is sent to other nodes where GPUs may be loaded by so much above the least.");
}
