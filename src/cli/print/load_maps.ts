/** The maps of an analysis: a row per layer, a column per GPU or expert. */
import type { Analysis, LayerAnalysis } from "../reports/analysis.ts";
import { expertLoadScale, gpuLoadScale, heatMap, priceScale, type Scale } from "./heat_map.ts";
import { figure, htmlParagraph } from "./html_page.ts";
import { count } from "./words.ts";

export function loadMaps(analysis: Analysis): string[] {
  const { dead } = analysis;
  const ofGpus = (name: "even" | "solved") => (layer: LayerAnalysis) => ofLiving(layer.gpuLoad[name], dead);
  return [
    "<h2>Load by layer and GPU</h2>",
    htmlParagraph(
      `Mean load of each GPU over the mean GPU's. Grey is about the mean, red above it, blue below.${blank(analysis)}`,
    ),
    map(analysis, { x: "GPU", scale: gpuLoadScale, row: ofGpus("even"), caption: "Split evenly." }),
    map(analysis, {
      x: "GPU",
      scale: gpuLoadScale,
      row: ofGpus("solved"),
      caption: "Under the LP, which makes the busiest GPU as light as can be, and does not level the others.",
    }),
    "<h2>Load by layer and expert</h2>",
    map(analysis, {
      ...{ x: "expert", scale: expertLoadScale, row: ({ expertLoad }) => expertLoad },
      caption: "Load of each expert over the mean expert's of its layer: what there is to balance.",
    }),
  ];
}

export function priceMap(analysis: Analysis): string[] {
  const { gpus, dead } = analysis;
  const living = gpus - dead.length;
  return [
    "<h2>Prices</h2>",
    map(analysis, {
      ...{ x: "GPU", scale: priceScale, row: ({ price }) => ofLiving(price, dead).map((own) => own && own * living) },
      caption:
        "Mean price of each GPU, what a token less on it takes off the load that all wait for, in multiples of what each has in balance. " +
        "GPUs of strong colour hold experts that need a replica on one without colour; a row of one shade is balanced.",
    }),
  ];
}

interface OfLayers {
  x: "GPU" | "expert";
  scale: Scale;
  row: (layer: LayerAnalysis) => readonly (number | undefined)[];
  caption: string;
}

function map({ layers }: Analysis, { x, scale, row, caption }: OfLayers): string {
  const values = layers.map((layer) => (layer.batches === 0 ? row(layer).map(() => undefined) : row(layer)));
  const [columns, rows] = [values[0].map((_, i) => `${i}`), layers.map(({ layer }) => `${layer}`)];
  return figure(heatMap({ x, y: "layer", columns, rows, values, scale }), `${caption} ${most(values, x, scale)}`);
}

/** Which cell has most, and how many are beyond the scale. */
function most(values: readonly (readonly (number | undefined)[])[], x: string, { bounds }: Scale): string {
  const cells = values.flatMap((row, layer) => row.map((value, i) => ({ value: value ?? -Infinity, layer, i })));
  const { value, layer, i } = cells.reduce((a, b) => (b.value > a.value ? b : a));
  const last = bounds[bounds.length - 1];
  const beyond = cells.filter((cell) => cell.value >= last).length;
  const capped =
    beyond === 0 ? "" : ` ${count(beyond)} of ${count(cells.length)} have ${last} or more, the last colour.`;
  return `The most is ${value.toPrecision(3)}, ${x} ${i} in layer ${layer}.${capped}`;
}

function ofLiving(values: readonly number[], dead: readonly number[]): (number | undefined)[] {
  return values.map((value, g) => (dead.includes(g) ? undefined : value));
}

function blank({ dead, layers }: Analysis): string {
  const what = [
    ...(dead.length > 0 ? ["dead GPUs"] : []),
    ...(layers.some(({ batches }) => batches === 0) ? ["layers without tokens"] : []),
  ];
  return what.length === 0 ? "" : ` Blank: ${what.join(" and ")}.`;
}
