/** Plots as SVG text: drawn without a browser, shown without a script. */
import { BarChart, HeatmapChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, VisualMapComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, HeatmapChart, LineChart, GridComponent, LegendComponent, VisualMapComponent, SVGRenderer]);

export interface Axis {
  name: string;
  /** "log" wants values > 0. "value" by default, from 0 on where that is near, or from `min` on. */
  type?: "value" | "log";
  min?: number;
}

export interface Size {
  width?: number;
  height?: number;
}

/** Lines through [x, y] points in ascending order of x. */
export function lineChart(
  { x, y, series }: { x: Axis; y: Axis; series: readonly { name: string; points: readonly [number, number][] }[] },
  size: Size = {},
): string {
  const most = Math.max(...series.map(({ points }) => points.length));
  return draw(
    {
      ...named(series, size),
      xAxis: { ...axis(x, "middle"), ...(x.type === "log" ? {} : { max: "dataMax" }), nameGap: 26 },
      yAxis: axis(y, "end"),
      series: series.map(({ name, points }, i) => ({
        type: "line",
        name,
        data: points,
        symbol: SYMBOLS[i % SYMBOLS.length],
        symbolSize: 6,
        showSymbol: most <= MOST_SYMBOLS,
        lineStyle: { width: 1.5, type: DASHES[i % DASHES.length] },
      })),
    },
    size,
  );
}

/** A group of bars per category, a bar per series in it. */
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
    series: readonly { name: string; values: readonly number[] }[];
  },
  size: Size = {},
): string {
  return draw(
    {
      legend: legend(series),
      xAxis: { ...categoryAxis(categories), name: x, nameLocation: "middle", nameGap: 26 },
      yAxis: axis(y, "end"),
      series: series.map(({ name, values }) => ({ type: "bar", name, data: values, barCategoryGap: "25%" })),
    },
    size,
  );
}

/** A cell per value: rows from top to bottom, white for 0 to dark for the largest. */
export function heatMap(
  {
    x,
    y,
    columns,
    rows,
    values,
  }: {
    x: string;
    y: string;
    columns: readonly string[];
    rows: readonly string[];
    /** [rows][columns], >= 0 */
    values: readonly (readonly number[])[];
  },
  size: Size = {},
): string {
  const largest = Math.max(...values.flat()) || 1;
  return draw(
    {
      grid: { ...GRID, right: 76 },
      xAxis: { ...categoryAxis(columns), name: x, nameLocation: "middle", nameGap: 26 },
      yAxis: { ...categoryAxis(rows), name: y, nameLocation: "start", inverse: true },
      visualMap: {
        min: 0,
        max: largest,
        text: [largest.toPrecision(2), "0"],
        right: 0,
        top: "middle",
        calculable: false,
        inRange: { color: ["#ffffff", "#fdd49e", "#ef6548", "#7f0000"] }, // ColorBrewer's OrRd: darker is more, on paper too
      },
      series: [
        {
          type: "heatmap",
          data: values.flatMap((row, j) => row.map((value, i) => [i, j, value])),
          itemStyle: { borderColor: "#dddddd", borderWidth: 0.5 },
        },
      ],
    },
    size,
  );
}

/** Okabe and Ito's colours, which the colour-blind tell apart, the palest left out. */
const COLOURS = ["#999999", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"];
/** So that lines differ without colour, too. */
const DASHES = ["dotted", "solid", "dashed"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect"];
const MOST_SYMBOLS = 40;
/** Width of a letter of the legend, generously. */
const LETTER = 6.8;
const WIDTH = 720;
const GRID = { left: 8, right: 24, top: 40, bottom: 30, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };

function legend(series: readonly { name: string }[]) {
  return { data: series.map(({ name }) => name), top: 0, right: 0, itemWidth: 28, itemGap: 18 };
}

/** The names above the plot or, where they take more than half a line, beside it. */
function named(series: readonly { name: string }[], { width = WIDTH }: Size) {
  const widths = series.map(({ name }) => name.length * LETTER + 54);
  if (widths.reduce((a, b) => a + b) < width / 2) return { legend: legend(series) };
  const widest = Math.max(...widths);
  const beside = { orient: "vertical", left: width - widest, right: undefined, top: "middle", itemGap: 10 };
  return { legend: { ...legend(series), ...beside }, grid: { ...GRID, right: widest + 16 } };
}

function axis({ name, type = "value", min }: Axis, nameLocation: "middle" | "end") {
  const aligned = nameLocation === "end" ? { nameTextStyle: { align: "left" as const } } : {};
  return { type, name, nameLocation, min, scale: min === undefined, ...aligned, splitLine: { lineStyle: LINE } };
}

function categoryAxis(data: readonly string[]) {
  return { type: "category", data, axisTick: { show: false } };
}

/** The style sheet of a chart without animation holds nothing else. */
const HOVER_EFFECTS = /<style >.*?<\/style>\n?/gs;
const LINE = { color: "#e5e5e5" };

function draw(option: EChartsCoreOption, { width = WIDTH, height = 300 }: Size): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      silent: true,
      color: COLOURS,
      textStyle: { fontFamily: "sans-serif" },
      grid: GRID,
      ...option,
    });
    return chart.renderToSVGString().replace(HOVER_EFFECTS, "");
  } finally {
    chart.dispose();
  }
}
