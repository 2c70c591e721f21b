/** What more replicas are worth, as a plot and a table. */
import type { CurvePoint } from "../reports/redundancy_curve.ts";
import { lineChart } from "./charts.ts";
import { figure, htmlTable } from "./html_page.ts";
import { decimalsOf } from "./words.ts";

/** Nothing for fewer than two points.  @param quantity  What the points say, such as "imbalance". */
export function redundancyPlot(curve: readonly CurvePoint[], quantity: string): string[] {
  if (curve.length < 2) return [];
  const points = (value: (point: CurvePoint) => number) =>
    curve.map((point): [number, number] => [point.redundant, value(point)]);
  const svg = lineChart({
    x: { name: "redundant experts" },
    y: { name: quantity, min: quantity === "imbalance" ? 1 : undefined }, // 1 is perfect
    series: [
      { name: "bound for any placement", points: points(({ bound }) => bound) },
      { name: "EPLB + LP", points: points(({ eplb }) => eplb.mean), upTo: curve.map(({ eplb }) => eplb.p95) },
      { name: "plan + LP", points: points(({ plan }) => plan.mean), upTo: curve.map(({ plan }) => plan.p95) },
    ],
  });
  const decimals = decimalsOf(Math.max(...curve.map(({ eplb }) => eplb.mean)));
  const rows = curve.map(({ redundant, eplb, plan, bound }) => [
    `${redundant}`,
    ...[eplb.mean, eplb.p95, plan.mean, plan.p95, bound].map((value) => value.toFixed(decimals)),
  ]);
  return [
    "<h2>Redundancy</h2>",
    figure(
      svg,
      `A line is the mean ${quantity} of the measured batches of all layers, its band reaches up to their 95th percentile. No placement of ` +
        "so many replicas is below the bound on average.",
    ),
    htmlTable([["redundant", "EPLB + LP", "p95", "plan + LP", "p95", "bound"], ...rows]),
  ];
}
