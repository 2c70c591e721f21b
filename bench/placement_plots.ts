/** Plots of `placement-scale`: imbalance and seconds per layer against the number of GPUs, and of redundant experts. */
import { lineChart } from "../src/cli/print/charts.ts";
import type { Row } from "./row.ts";

export interface Chart {
  svg: string;
  caption: string;
}

const SIZE = { width: 900, height: 420 };

const redundantOf = ({ replicas, experts }: Row) => replicas - experts;

/** A pair for each kind of loads with several G, R being G, and for each with several R on as many GPUs. */
export function placementCharts(rows: readonly Row[]): Chart[] {
  const asked = rows.filter(({ placed }) => placed);
  const byGpus = groups(
    asked.filter((row) => redundantOf(row) === row.gpus),
    ({ placed }) => `${placed!.loads}, a redundant expert per GPU`,
  );
  const byRedundant = groups(asked, ({ placed, gpus, experts }) => `${placed!.loads}, EP${gpus} E${experts}`);
  return [
    ...byGpus.flatMap(([name, own]) => pair(name, own, "GPUs", ({ gpus }) => gpus)),
    ...byRedundant.flatMap(([name, own]) => pair(name, own, "redundant experts", redundantOf)),
  ];
}

function groups(rows: readonly Row[], nameOf: (row: Row) => string): [string, Row[]][] {
  const names = [...new Set(rows.map(nameOf))];
  return names.map((name) => [name, rows.filter((row) => nameOf(row) === name)]);
}

function pair(name: string, rows: readonly Row[], by: string, x: (row: Row) => number): Chart[] {
  if (new Set(rows.map(x)).size < 2) return [];
  const planned = rows.filter(({ placed }) => placed!.threads !== undefined);
  // The answer is the same on more threads.
  const worth = lines(
    rows.filter(({ placed }) => (placed!.threads ?? 1) === 1),
    x,
    ({ placed }) => placed!.imbalance,
  );
  const seconds = lines(planned, x, ({ usPerLp }) => usPerLp / 1e6);
  const axis = { name: by };
  return [
    {
      svg: lineChart({ x: axis, y: { name: "max / mean load", min: 1 }, series: worth }, SIZE),
      caption: `Imbalance of steps held out against ${by}: ${name}.`,
    },
    {
      svg: lineChart({ x: axis, y: { name: "s per layer" }, series: seconds }, SIZE),
      caption: `Seconds per layer of the search against ${by}: ${name}.`,
    },
  ];
}

function lines(rows: readonly Row[], x: (row: Row) => number, y: (row: Row) => number) {
  return groups(rows, ({ solver }) => solver).map(([name, own]) => ({
    name,
    points: own.map((row): [number, number] => [x(row), y(row)]).sort(([a], [b]) => a - b),
  }));
}
