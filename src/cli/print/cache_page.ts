import type { CacheReport, SimulatedPolicy } from "../reports/cache_report.ts";
import { cacheTable, costInWords } from "./cache_tables.ts";
import { cacheLegend, capacityHeading, leastOf, shareInWords, sizeInWords } from "./cache_words.ts";
import { type Axis, type Line, lineChart } from "./charts.ts";
import { figure, foot, type Headline, headlines, htmlPage, htmlParagraph, htmlTable } from "./html_page.ts";
import type { Made } from "./made.ts";
import { percent, timesInWords } from "./simulation_units.ts";
import { count } from "./words.ts";

/** The report that `cache --html` writes. */
export function cachePage(report: CacheReport, made: Made): string {
  const { source, capacities } = report;
  return htmlPage(`What to keep: ${source}`, [
    headlines(headlinesOf(report)),
    htmlParagraph(cacheLegend(report).join(" ")),
    ...(capacities.length > 1 ? plots(report) : []),
    "<h2>By capacity</h2>",
    ...capacities.flatMap((at) => [
      htmlParagraph(`${capacityHeading(report, at)}:`),
      htmlTable(cacheTable(report, at)),
    ]),
    foot(made),
  ]);
}

function headlinesOf(report: CacheReport): Headline[] {
  const { requests, objects, prompts, footprint, sizeUnit, costUnit, capacities } = report;
  const least = spread(capacities).map(({ share, policies, bound }) => {
    const [{ cost, overBound, hitRatio }] = policies.toSorted((a, b) => a.cost - b.cost);
    const over =
      bound && overBound !== undefined
        ? `, ${timesInWords(overBound)} times the ${bound.exact ? "optimum" : "bound"}`
        : "";
    return {
      name: `Least cost at ${shareInWords(share)}`,
      value: costInWords(cost, costUnit),
      note: `${leastOf(policies)}${over}; ${percent(hitRatio)} hits`,
    };
  });
  return [
    ...least,
    {
      name: "Requests",
      value: count(requests),
      note: `for ${count(objects)} ${prompts === undefined ? "objects" : "blocks"}`,
    },
    { name: "Footprint", value: sizeInWords(footprint, sizeUnit), note: "all objects together" },
  ];
}

const MOST_HEADLINES = 4;

/** The first, the last, and some between them. */
function spread<T>(all: readonly T[]): T[] {
  if (all.length <= MOST_HEADLINES) return [...all];
  const step = (all.length - 1) / (MOST_HEADLINES - 1);
  return Array.from({ length: MOST_HEADLINES }, (_, i) => all[Math.round(i * step)]);
}

/** Where the largest is more times the smallest than that, points are told apart on a logarithmic axis only. */
const LOGARITHMIC = 4;

function plots(report: CacheReport): string[] {
  const { capacities, costUnit, footprint, sizeUnit } = report;
  const bounds = capacities.flatMap(({ share, bound }): Point[] => (bound ? [[100 * share, bound.cost]] : []));
  // Last, so that a policy has the same colour in both plots.
  const costs = [
    ...linesOf(report, (one) => one.cost),
    ...(bounds.length > 0 ? [{ name: "bound", points: bounds }] : []),
  ];
  const y = {
    name: costUnit === undefined ? "cost" : `cost, ${costUnit}`,
    ...scaleOf(costs.flatMap(({ points }) => points.map(([, cost]) => cost))),
  };
  const ofAll = `The footprint is ${sizeInWords(footprint, sizeUnit)}.`;
  return [
    "<h2>Cost against capacity</h2>",
    figure(
      lineChart({ x: xOf(report), y, series: costs }, { height: 400 }),
      `Cost of all misses.${bounds.length > 0 ? " No policy is below the bound." : ""} ${ofAll}`,
    ),
    "<h2>Hits against capacity</h2>",
    figure(
      lineChart({
        x: xOf(report),
        y: { name: "% of the requests", min: 0 },
        series: linesOf(report, ({ hitRatio }) => 100 * hitRatio),
      }),
      `Share of the requests that is found. ${ofAll}`,
    ),
  ];
}

type Point = [number, number];

function linesOf({ policies, capacities }: CacheReport, of: (policy: SimulatedPolicy) => number): Line[] {
  return policies.map((name, p) => ({
    name,
    points: capacities.map(({ share, policies }): Point => [100 * share, of(policies[p])]),
  }));
}

function xOf({ capacities }: CacheReport): Axis {
  const shares = capacities.map(({ share }) => 100 * share);
  return { name: "capacity, % of the footprint", fractions: true, ...scaleOf(shares) };
}

function scaleOf(values: readonly number[]): Pick<Axis, "type" | "min" | "max"> {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (!(least > 0 && most > LOGARITHMIC * least)) return {};
  const digit = (value: number) => 10 ** Math.floor(Math.log10(value));
  return {
    type: "log",
    min: digit(least) * Math.floor(least / digit(least)),
    max: digit(most) * Math.ceil(most / digit(most)),
  };
}
