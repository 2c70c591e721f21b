/** Lines, points and bars. */
import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import { AXIS, categoryAxis, colours, draw, type Size, WIDTH } from "./svg_chart.ts";

export interface Axis {
  name: string;
  /** "log" wants values > 0. "value" by default, from 0 on where that is near, or from `min` on. */
  type?: "value" | "log";
  min?: number;
  /** What is above is cut off. */
  max?: number;
  /** Of an x that may lie between two integers. */
  fractions?: true;
}

export interface Line {
  name: string;
  /** [x, y] in ascending order of x. */
  points: readonly [number, number][];
  /** For each point, how far up a band reaches that begins at the line. */
  upTo?: readonly number[];
}

/** Lines through points, x being integers unless it says otherwise. */
export function lineChart({ x, y, series }: { x: Axis; y: Axis; series: readonly Line[] }, size: Size = {}): string {
  const most = Math.max(...series.map(({ points }) => points.length));
  const lines = series.map(({ name, points }, i) => ({
    type: "line",
    name,
    data: points,
    color: colours.series[i % colours.series.length],
    symbol: SYMBOLS[i % SYMBOLS.length],
    symbolSize: 6,
    showSymbol: most <= MOST_SYMBOLS,
    lineStyle: { width: 1.75, type: DASHES[i % DASHES.length] },
  }));
  return draw(
    {
      ...named(series, size),
      xAxis: { ...axis(x, "middle"), ...(x.type === "log" ? besideTheZero : toTheLast(x)), nameGap: 28 },
      yAxis: axis(y, "end"),
      series: [...series.flatMap(band), ...lines],
    },
    size,
  );
}

/** The first number of a logarithmic axis is long, and would run into that of the other. */
const besideTheZero = { axisLabel: { ...AXIS.axisLabel, alignMinLabel: "left" as const } };

function toTheLast({ max, fractions }: Axis) {
  return fractions ? { max } : { max: max ?? "dataMax", minInterval: 1 };
}

function band({ points, upTo }: Line, i: number) {
  if (!upTo) return [];
  const top = points.map(([x], j): [number, number] => [x, upTo[j]]);
  const colour = colours.series[i % colours.series.length];
  const outline = [...points, ...top.toReversed()];
  const renderItem = ({ dataIndex }: CustomSeriesRenderItemParams, { coord }: CustomSeriesRenderItemAPI) =>
    dataIndex > 0
      ? undefined
      : {
          type: "polygon",
          shape: { points: outline.map((point) => coord([...point])) },
          style: { fill: colour, fillOpacity: 0.14, stroke: colour, strokeOpacity: 0.45, lineWidth: 0.75 },
        };
  return [{ type: "custom", data: top, renderItem, clip: true, z: 1 }];
}

export interface Dots {
  name: string;
  /** In any order. */
  points: readonly { x: number; y: number; isMarked: boolean }[];
}

/** Points by themselves; those that are marked are larger and filled, and `front` is the name of the steps that lead from one of them, of all series, to the next. */
export function scatterChart(
  { x, y, series, front }: { x: Axis; y: Axis; series: readonly Dots[]; front: string },
  size: Size = {},
): string {
  const marked = series.flatMap(({ points }) => points.filter(({ isMarked }) => isMarked));
  const steps = {
    ...{ type: "line", name: front, color: colours.series[0], step: "end", showSymbol: false, z: 1 },
    data: marked.map((point) => [point.x, point.y]).sort(([a], [b]) => a - b),
    lineStyle: { width: 1.25, type: "dashed" },
  };
  const dots = series.map(({ name, points }, i) => {
    const colour = colours.series[1 + (i % (colours.series.length - 1))];
    const hollow = { color: "transparent", borderColor: colour, borderWidth: 1.25 };
    return {
      ...{ type: "line", name, color: colour, symbol: SYMBOLS[i % SYMBOLS.length], showSymbol: true, z: 2 },
      lineStyle: { width: 0 },
      data: points.map((point) => ({
        value: [point.x, point.y],
        symbolSize: point.isMarked ? 11 : 7,
        itemStyle: point.isMarked ? { color: colour } : hollow,
      })),
    };
  });
  return draw(
    {
      ...named([{ name: front }, ...series], size),
      xAxis: { ...axis(x, "middle"), ...(x.type === "log" && besideTheZero), nameGap: 28 },
      yAxis: axis(y, "end"),
      series: [steps, ...dots],
    },
    size,
  );
}

/** A group of bars per category, a bar per series in it; no bar where there is no value. */
export function barChart(
  {
    x,
    y,
    categories,
    series,
  }: {
    x: string;
    y: Axis;
    categories: readonly string[];
    /** Which of the series' colours, if not the next. */
    series: readonly { name: string; values: readonly (number | undefined)[]; colour?: number }[];
  },
  size: Size = {},
): string {
  const { width = WIDTH } = size;
  return draw(
    {
      ...named(series, size),
      xAxis: { ...categoryAxis(categories, width, LABEL), name: x, nameLocation: "middle", nameGap: 28 },
      yAxis: axis(y, "end"),
      series: series.map(({ name, values, colour }, i) => ({
        type: "bar",
        name,
        color: colours.series[colour ?? i],
        data: values.map((value) => value ?? "-"),
        barCategoryGap: "25%",
        barGap: "0%",
        barMaxWidth: 28,
      })),
    },
    size,
  );
}

/** So that lines differ without colour, too. */
const DASHES = ["dotted", "solid", "dashed"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond"];
const MOST_SYMBOLS = 40;
/** Width of a letter of the legend, and of a number below an axis with what is around it. */
const LETTER = 7.2;
const LABEL = 30;
const GRID = { left: 8, right: 24, top: 58, bottom: 32, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };

/** The names above the plot or, where they take more than half a line, beside it. */
function named(series: readonly { name: string }[], { width = WIDTH }: Size) {
  const legend = {
    ...{ data: series.map(({ name }) => name), top: 0, left: 0, itemWidth: 28, itemGap: 18 },
    textStyle: { color: colours.text },
  };
  const widths = series.map(({ name }) => name.length * LETTER + 54);
  if (widths.reduce((a, b) => a + b) < width / 2) return { legend, grid: GRID };
  const widest = Math.max(...widths);
  const beside = { orient: "vertical", left: width - widest, top: "middle", itemGap: 10 };
  return { legend: { ...legend, ...beside }, grid: { ...GRID, right: widest + 16 } };
}

function axis({ name, type = "value", min, max }: Axis, nameLocation: "middle" | "end") {
  const align = nameLocation === "end" ? ("left" as const) : undefined;
  return {
    ...AXIS,
    type,
    name,
    nameLocation,
    min,
    max,
    scale: min === undefined,
    nameTextStyle: { ...AXIS.nameTextStyle, align },
  };
}
