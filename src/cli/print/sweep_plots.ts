/** Fronts of a sweep in two figures at a time, and what more workers are worth. */
import { meanOfSeeds, paretoFront, type SweptMean } from "../../serving/sweep/pareto.ts";
import { ratesOf, type SweepReport } from "../reports/sweep_report.ts";
import { type Axis, type Line, lineChart } from "./charts.ts";
import { figure } from "./html_page.ts";
import { threeFigures, timeUnit } from "./simulation_units.ts";
import { policyName, unitOfRate } from "./sweep_tables.ts";

/** Lines of a plot, as many as there are colours. */
const MOST_LINES = 8;
/** Where the largest is more times the smallest than that, points are told apart on a logarithmic axis only. */
const LOGARITHMIC = 20;

/** All configurations, in lines: of a rate each where there are several, else of a policy each. */
interface Group {
  name: string;
  all: SweptMean[];
}

function groupsOf(report: SweepReport): Group[] {
  const means = meanOfSeeds(report.scenarios);
  const rates = ratesOf(report);
  if (rates.length > 1) {
    return thinned(rates).map((rate) => ({
      name: `${threeFigures(rate!)}/${unitOfRate(report)}`,
      all: means.filter((one) => one.rate === rate),
    }));
  }
  const policies = [...new Set(means.map((one) => policyName(report, one)))];
  return thinned(policies).map((name) => ({ name, all: means.filter((one) => policyName(report, one) === name) }));
}

/** At equal distances, with the first and the last. */
function thinned<T>(all: readonly T[]): T[] {
  if (all.length <= MOST_LINES) return [...all];
  const step = (all.length - 1) / (MOST_LINES - 1);
  return Array.from({ length: MOST_LINES }, (_, k) => all[Math.round(k * step)]);
}

const each = (report: SweepReport) => (ratesOf(report).length > 1 ? "rate" : "policy");
const isShown = (points: readonly number[]) => points.every(Number.isFinite);

/** For each of two latencies: the least at each throughput of a worker. */
export function frontPlots(report: SweepReport): string[] {
  const groups = groupsOf(report);
  const per = unitOfRate(report);
  return (["ttft", "tpot"] as const).flatMap((latency) => {
    const fronts = groups.map(({ name, all }) => {
      const front = paretoFront(all, [latency, "throughput"]);
      const points = front.map((one) => [one[latency].p99, one.workerThroughput] as [number, number]);
      return { name, points: points.filter(isShown).sort(([a], [b]) => a - b) };
    });
    const times = fronts.flatMap(({ points }) => points.map(([time]) => time));
    if (times.length === 0) return [];
    const { name: unit, perUnit } = timeUnit(times, report.grid.clock);
    const series: Line[] = fronts.map(({ name, points }) => ({
      name,
      points: points.map(([time, tokens]) => [short(time * perUnit), short(tokens)]),
    }));
    const label = latency === "ttft" ? "TTFT" : "TPOT";
    const svg = lineChart({
      x: { name: `99th percentile of ${label} in ${unit}`, fractions: true, ...logarithmic(times) },
      y: { name: `tokens/${per} a worker`, min: 0 },
      series,
    });
    const caption = `The most tokens per ${per} of a worker at each ${label}, of each ${each(report)}: a point is a configuration, and those to its upper left do not exist.`;
    return [figure(svg, caption)];
  });
}

/** What more workers do to TTFT, with an SLO to the share that is within it, and to the rate at which it breaks. */
export function workerPlots(report: SweepReport): string[] {
  if (report.grid.workers.length === 1) return [];
  return [ttftPlot(report), ...attainmentPlot(report), ...breakingPlot(report)];
}

const workersAxis: Axis = { name: "workers" };

/** The best policy's, where lines are rates. */
function byWorkers(groups: readonly Group[], of: (one: SweptMean) => number, better: (a: number, b: number) => number) {
  return groups.map(({ name, all }): Line => {
    const best = new Map<number, number>();
    for (const one of all)
      if (Number.isFinite(of(one))) best.set(one.workers, better(best.get(one.workers) ?? of(one), of(one)));
    return { name, points: [...best].sort(([a], [b]) => a - b).map(([workers, value]) => [workers, short(value)]) };
  });
}

const ofBest = (report: SweepReport) =>
  each(report) === "rate" && new Set(report.scenarios.map((one) => policyName(report, one))).size > 1
    ? ", with the best policy"
    : "";

function ttftPlot(report: SweepReport): string {
  const groups = groupsOf(report);
  const times = groups.flatMap(({ all }) => all.map(({ ttft }) => ttft.p99)).filter(Number.isFinite);
  const { name: unit, perUnit } = timeUnit(times, report.grid.clock);
  const svg = lineChart({
    x: workersAxis,
    y: { name: `TTFT in ${unit}`, ...(logarithmic(times).type ? { type: "log" } : { min: 0 }) },
    series: byWorkers(groups, ({ ttft }) => ttft.p99 * perUnit, Math.min),
  });
  return figure(svg, `99th percentile of TTFT by the number of workers${ofBest(report)}.`);
}

function attainmentPlot(report: SweepReport): string[] {
  if (report.attainment === undefined) return [];
  const svg = lineChart({
    x: workersAxis,
    y: { name: "% of the requests", min: 0, max: 100 },
    series: byWorkers(groupsOf(report), ({ attainment }) => 100 * attainment!, Math.max),
  });
  return [figure(svg, `Share of the requests within the SLO by the number of workers${ofBest(report)}.`)];
}

function breakingPlot(report: SweepReport): string[] {
  const { breaking } = report;
  if (!breaking) return [];
  const policies = thinned([...new Set(breaking.map((one) => policyName(report, one)))]);
  const svg = lineChart({
    x: workersAxis,
    y: { name: `requests/${unitOfRate(report)}`, min: 0 },
    series: policies.map((name) => ({
      name,
      points: breaking
        .filter((one) => policyName(report, one) === name)
        .map(({ workers, holds }) => [workers, short(holds)]),
    })),
  });
  return [figure(svg, "The highest rate at which the SLO holds, by the number of workers.")];
}

function logarithmic(values: readonly number[]): { type?: "log" } {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least > 0 && most > LOGARITHMIC * least ? { type: "log" } : {};
}

/** A plot shows no more, and the page stays small. */
const short = (value: number) => Number(value.toPrecision(6));
