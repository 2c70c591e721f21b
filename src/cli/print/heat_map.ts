import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import { categoryAxis, colours, draw, WIDTH } from "./svg_chart.ts";

/** Colours for classes of values: the same in every report, so that two can be compared, and no outlier pales the rest. */
export interface Scale {
  /** What the values are. */
  name: string;
  /** Ascending: one class is below the first, one from each to the next, and one from the last on. */
  bounds: readonly number[];
  /** [bounds + 1] */
  colours: readonly string[];
}

const less = [5, 4, 3, 2, 1].map((i) => `var(--less-${i})`);
const more = [1, 2, 3, 4, 5, 6].map((i) => `var(--more-${i})`);
const aroundOne = [...less, "var(--level)", ...more];

/** Of GPUs, among which a few percent matter, */
export const gpuLoadScale: Scale = {
  name: "load / mean",
  bounds: [0.5, 0.8, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1, 1.2, 1.5, 2],
  colours: aroundOne,
};
/** and of experts, which differ by factors. */
export const expertLoadScale: Scale = {
  name: "load / mean expert's",
  bounds: [0.1, 0.2, 0.4, 0.6, 0.8, 1.25, 1.5, 2, 3, 5, 8],
  colours: aroundOne,
};
/** Of prices in multiples of what each GPU has in balance: a few GPUs may have all. */
export const priceScale: Scale = {
  name: "price x GPUs",
  bounds: [0.1, 0.5, 1.5, 3, 10, 30],
  colours: ["var(--level)", ...more],
};

export interface HeatMap {
  x: string;
  y: string;
  columns: readonly string[];
  rows: readonly string[];
  /** [rows][columns]; a cell without a value stays blank. */
  values: readonly (readonly (number | undefined)[])[];
  scale: Scale;
}

/** Space for the columns, and the widest that one gets; so high is a row, lower if there are many. */
const PLOT = 960;
const WIDEST = 40;
const [HIGH, LOW, MANY_ROWS] = [18, 12, 32];
const [LEFT, TOP, BOTTOM] = [44, 66, 40];
/** Cells larger than that have a gap between them. */
const SMALL = 8;
/** A colour of the legend. */
const SWATCH = { width: 42, height: 12 };
const LABEL = { row: 14, column: 30 };

/** A cell per value, rows from top to bottom: any number of them, in an SVG that does not grow with each. */
export function heatMap({ x, y, columns, rows, values, scale }: HeatMap): string {
  const cellWidth = Math.max(1, Math.min(WIDEST, Math.floor(PLOT / columns.length)));
  const cellHeight = rows.length > MANY_ROWS ? LOW : HIGH;
  const [plotWidth, plotHeight] = [cellWidth * columns.length, cellHeight * rows.length];
  const legendWidth = scale.colours.length * SWATCH.width + scale.name.length * 8;
  const width = Math.min(Math.max(plotWidth, legendWidth) + LEFT + 16, Math.max(WIDTH, plotWidth + LEFT + 16));
  const svg = draw(
    {
      grid: {
        ...{ left: LEFT, top: TOP, width: plotWidth, height: plotHeight, outerBoundsMode: "none" },
        ...{ show: true, borderColor: colours.line },
      },
      xAxis: { ...categoryAxis(columns, plotWidth, LABEL.column), name: x, nameLocation: "middle", nameGap: 26 },
      yAxis: {
        ...categoryAxis(rows, plotHeight, LABEL.row),
        name: y,
        nameLocation: "start",
        nameGap: 8,
        inverse: true,
      },
      graphic: legend(scale),
      series: [
        { type: "custom", data: scale.colours.map(() => [0, 0]), renderItem: cells(values, scale, cellWidth), z: 1 },
      ],
    },
    { width, height: plotHeight + TOP + BOTTOM },
  );
  return svg.replace("<svg ", '<svg shape-rendering="crispEdges" '); // no seams between cells, however large it is shown
}

/** A path for each colour: a line as wide as a row is high for each run of cells, so that the SVG stays small. */
function cells(values: HeatMap["values"], scale: Scale, cellWidth: number) {
  const gap = cellWidth > SMALL ? 1 : 0;
  return ({ dataIndex }: CustomSeriesRenderItemParams, { coord, size }: CustomSeriesRenderItemAPI) => {
    const [, height] = size!([1, 1]) as number[];
    const runs = values.flatMap((row, j) => {
      const [first, middle] = coord([0, j]);
      const left = first - cellWidth / 2;
      const own = row.map((value) => value !== undefined && classOf(value, scale) === dataIndex);
      return runsOf(own, gap > 0).map(
        ([from, to]) => `M${left + from * cellWidth} ${middle}H${left + to * cellWidth - gap}`,
      );
    });
    if (runs.length === 0) return undefined;
    const style = { fill: "none", stroke: scale.colours[dataIndex], lineWidth: height - 1 };
    return { type: "path", shape: { pathData: runs.join("") }, style };
  };
}

export function classOf(value: number, { bounds }: Scale): number {
  const above = bounds.findIndex((bound) => value < bound);
  return above < 0 ? bounds.length : above;
}

/** [from, to) of the stretches that are true; of each place for itself, if they are to be single. */
function runsOf(own: readonly boolean[], single: boolean): [number, number][] {
  const runs: [number, number][] = [];
  for (let i = 0; i < own.length; i++) {
    if (!own[i]) continue;
    const last = runs.at(-1);
    if (!single && last?.[1] === i) last[1]++;
    else runs.push([i, i + 1]);
  }
  return runs;
}

/** The colours in a row, and below each border between two the bound. */
function legend({ name, bounds, colours: fills }: Scale) {
  const swatches = fills.map((fill, i) => ({
    type: "rect",
    shape: { x: LEFT + i * SWATCH.width, y: 4, ...SWATCH },
    style: { fill, stroke: colours.line, lineWidth: 0.5 },
  }));
  const label = (text: string, x: number, y: number, align: "center" | "left") => ({
    type: "text",
    style: { text, x, y, align, fontSize: 11, fill: colours.faint },
  });
  const labels = bounds.map((bound, i) => label(`${bound}`, LEFT + (i + 1) * SWATCH.width, 20, "center"));
  return [...swatches, ...labels, label(name, LEFT + fills.length * SWATCH.width + 8, 4, "left")];
}
