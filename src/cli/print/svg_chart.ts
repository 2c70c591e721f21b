/** What all plots have in common. They are SVG text: drawn without a browser, shown without a script. */
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GraphicComponent, GridComponent, LegendComponent } from "echarts/components";
import { type EChartsCoreOption, init, setPlatformAPI, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, CustomChart, LineChart, GraphicComponent, GridComponent, LegendComponent, SVGRenderer]);

/** Width of a letter, of the size of its font. Which font a browser takes is not known here: a wide one, so that no text runs into the next. */
const LETTER = 0.6;
setPlatformAPI({
  measureText: (text, font = "") => ({ width: text.length * LETTER * Number(font.match(/(\d+)px/)?.[1] ?? 12) }),
});

export interface Size {
  width?: number;
  height?: number;
}

export const WIDTH = 1020;

/** Colours are variables of the page, light or dark as the reader's screen is: see page_style.ts. */
export const colours = {
  text: "var(--text)",
  faint: "var(--faint)",
  line: "var(--line)",
  series: Array.from({ length: 8 }, (_, i) => `var(--series-${i})`),
};

/** Names on an axis, as many as there is room for: every, every second, every fourth one, and so on, as nodes have GPUs. */
export function categoryAxis(names: readonly string[], lengthPx: number, labelPx: number) {
  let every = 1;
  while ((names.length / every) * labelPx > lengthPx) every *= 2;
  return {
    ...AXIS,
    type: "category",
    data: names,
    axisTick: { show: false },
    axisLabel: { ...AXIS.axisLabel, interval: (index: number) => index % every === 0 },
  };
}

export const AXIS = {
  nameTextStyle: { color: colours.text },
  axisLabel: { color: colours.faint, hideOverlap: true },
  axisLine: { lineStyle: { color: colours.line } },
  axisTick: { lineStyle: { color: colours.line } },
  splitLine: { lineStyle: { color: colours.line } },
};

/** The style sheet of a chart without animation holds nothing else. */
const HOVER_EFFECTS = /<style >.*?<\/style>\n?/gs;

export function draw(option: EChartsCoreOption, { width = WIDTH, height = 300 }: Size): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      silent: true,
      color: colours.series,
      backgroundColor: "transparent",
      textStyle: { fontFamily: "sans-serif", color: colours.text },
      ...option,
    });
    return chart.renderToSVGString().replace(HOVER_EFFECTS, "");
  } finally {
    chart.dispose();
  }
}
