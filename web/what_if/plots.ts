/** Fronts, as SVG text. */
import { type Axis, lineChart, scatterChart } from "../../src/cli/print/charts.ts";
import { threeFigures } from "../../src/cli/print/simulation_units.ts";
import { type BreakingRate, type ParetoAxis, paretoFront } from "../../src/serving.ts";
import type { Configuration } from "./answers.ts";
import type { Measured } from "./measured.ts";
import { policyName } from "./policies.ts";

export interface Plot {
  svg: string;
  name: string;
  caption: string;
}

const SIZE = { width: 760, height: 340 };
/** Where the largest is more times the smallest than that, points are told apart on a logarithmic axis only. */
const LOGARITHMIC = 20;

interface Pair {
  axes: readonly [ParetoAxis, ParetoAxis];
  x: { name: string; of(one: Configuration): number };
  y: { name: string; of(one: Configuration): number };
  /** What a benchmark has measured, where it has. */
  measured?: (run: Measured, workers: number) => readonly [number, number];
}

const ttft = { name: "p99 TTFT in s", of: (one: Configuration) => one.ttft.p99 };
const tpot = { name: "p99 TPOT in ms", of: (one: Configuration) => 1e3 * one.tpot.p99 };
const throughput = { name: "tokens/s per worker", of: (one: Configuration) => one.workerThroughput };
const energy = { name: "J per token", of: (one: Configuration) => one.energyPerToken };

const pairs: readonly Pair[] = [
  {
    ...{ axes: ["ttft", "throughput"], x: ttft, y: throughput },
    measured: (run, workers) => [run.ttft, run.tokenThroughput / workers],
  },
  {
    ...{ axes: ["tpot", "throughput"], x: tpot, y: throughput },
    measured: (run, workers) => [1e3 * run.tpot, run.tokenThroughput / workers],
  },
  { axes: ["ttft", "energy"], x: ttft, y: energy },
];

export interface MeasuredRun extends Measured {
  workers: number;
}

/** One for each pair of figures that a configuration trades for each other. */
export function frontPlots(all: readonly Configuration[], run: MeasuredRun | undefined): Plot[] {
  return pairs.map((pair) => frontPlot(pair, all, run));
}

function frontPlot({ axes, x, y, measured }: Pair, all: readonly Configuration[], run: MeasuredRun | undefined): Plot {
  const shown = all.filter((one) => Number.isFinite(x.of(one)) && Number.isFinite(y.of(one)));
  const front = new Set(paretoFront(shown, axes));
  const policies = [...new Set(shown.map(({ policy }) => policy))];
  const series = policies.map((name) => ({
    name,
    points: shown
      .filter(({ policy }) => policy === name)
      .map((one) => ({ x: short(x.of(one)), y: short(y.of(one)), isMarked: front.has(one) })),
  }));
  const point = run && measured?.(run, run.workers);
  const isMeasured = point?.every(Number.isFinite) ?? false;
  if (isMeasured)
    series.push({ name: "measured", points: [{ x: short(point![0]), y: short(point![1]), isMarked: false }] });
  const values = series.flatMap(({ points }) => points.map((one) => one.x));
  const axisOf = (name: string): Axis => ({ name, fractions: true, ...(isWide(values) && { type: "log" }) });
  const others = isMeasured ? " Measured: what the benchmark's file says of its own run." : "";
  return {
    svg: scatterChart({ x: axisOf(x.name), y: { name: y.name }, series, front: "front" }, SIZE),
    name: `${y.name} against ${x.name}, ${shown.length} configurations, ${front.size} on the front`,
    caption: `${y.name} against ${x.name}. Filled: on the front of these two, at whichever rate: no other is as good in both and better in one.${others}`,
  };
}

function isWide(values: readonly number[]): boolean {
  const least = Math.min(...values);
  return least > 0 && Math.max(...values) > LOGARITHMIC * least;
}

/** A plot shows no more. */
const short = (value: number) => Number(value.toPrecision(6));

/** How the rate up to which the SLO holds grows with the fleet; nothing where there is one fleet alone. */
export function breakingPlot(breaking: readonly BreakingRate[]): Plot | undefined {
  const policies = [...new Set(breaking.map(policyName))];
  const series = policies.map((name) => ({
    name,
    points: breaking
      .filter((one) => policyName(one) === name)
      .map(({ workers, holds }): [number, number] => [workers, short(holds)])
      .sort(([a], [b]) => a - b),
  }));
  if (new Set(breaking.map(({ workers }) => workers)).size < 2) return undefined;
  const best = Math.max(...breaking.map(({ holds }) => holds));
  return {
    svg: lineChart({ x: { name: "workers" }, y: { name: "requests/s", min: 0 }, series }, SIZE),
    name: `Rate up to which the SLO holds by number of workers, at most ${threeFigures(best)} requests/s`,
    caption: "The rate up to which the SLO holds, by the number of workers.",
  };
}
