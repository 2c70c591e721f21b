import { expect, test } from "vitest";
import { expertLoadScale, gpuLoadScale, heatMap, priceScale, type Scale } from "../../../src/cli/print/heat_map.ts";
import { escapeHtml } from "../../../src/cli/print/html_page.ts";
import { seeded } from "../../../src/common/random.ts";

const random = seeded(1);
const share = () => random.below(1000) / 1000;
const names = (n: number) => Array.from({ length: n }, (_, i) => `${i}`);

/** [rows][columns] the colour of each cell as drawn: paths are lines from left to right, one for each run of cells. */
function drawn(svg: string, rows: number, columns: number): (string | undefined)[][] {
  const path = /<path d="([^"]*)" [^>]*stroke="(var\(--(?:less|level|more)[^"]*)" stroke-width="(\d+)"/g;
  const paths = [...svg.matchAll(path)];
  const runs = paths.flatMap(([, d, colour, width]) =>
    [...d.matchAll(/M([\d.]+) ([\d.]+)L([\d.]+) [\d.]+/g)].map(([, from, y, to]) => ({
      from: +from,
      y: +y,
      to: +to,
      colour,
      width: +width,
    })),
  );
  const [left, right] = [Math.min(...runs.map(({ from }) => from)), Math.max(...runs.map(({ to }) => to))];
  const height = runs[0].width + 1;
  const top = Math.min(...runs.map(({ y }) => y)) - height / 2;
  const cell = Math.ceil((right - left) / columns);
  const map = Array.from({ length: rows }, () => new Array<string | undefined>(columns).fill(undefined));
  for (const { from, y, to, colour } of runs) {
    for (let x = from + cell / 2; x < to; x += cell)
      map[Math.floor((y - top) / height)][Math.floor((x - left) / cell)] = colour;
  }
  return map;
}

function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
}

function byHand(value: number | undefined, { bounds, colours }: Scale): string | undefined {
  return value === undefined ? undefined : colours[bounds.filter((bound) => bound <= value).length];
}

test.each([
  ["8 GPUs, a gap between cells", 4, 8, gpuLoadScale, () => 0.4 + 1.8 * share()],
  ["320 GPUs", 61, 320, gpuLoadScale, () => 0.9 + 0.2 * share()],
  ["256 experts", 58, 256, expertLoadScale, () => 9 * share() ** 3],
  ["1024 GPUs", 2, 1024, gpuLoadScale, () => 0.4 + 1.8 * share()],
  ["prices", 5, 64, priceScale, () => 40 * share() ** 4],
] as const)("each cell has the colour of its value: %s", (_, rows, columns, scale, value) => {
  const values = Array.from({ length: rows }, (_, j) =>
    Array.from({ length: columns }, (_, i) => (j === 1 && i % 7 === 3 ? undefined : value())),
  );
  for (const i of [0, columns - 1]) values[0][i] = value(); // so that the corners are there
  const svg = heatMap({ x: "GPU", y: "layer", columns: names(columns), rows: names(rows), values, scale });
  expect(drawn(svg, rows, columns)).toEqual(values.map((row) => row.map((value) => byHand(value, scale))));
  expect(svg.length).toBeLessThan(20 * rows * columns + 20_000);
});

test.each([gpuLoadScale, expertLoadScale, priceScale])("the legend of $name says where each colour begins", (scale) => {
  const svg = heatMap({
    x: "GPU",
    y: "layer",
    columns: names(4),
    rows: names(2),
    values: [
      [1, 1, 1, 1],
      [1, 1, 1, 1],
    ],
    scale,
  });
  expect(textsOf(svg)).toEqual(
    expect.arrayContaining([...scale.bounds.map(String), escapeHtml(scale.name), "GPU", "layer"]),
  );
  const swatches = scale.colours.filter((colour) => svg.includes(`fill="${colour}"`));
  expect(swatches).toEqual(scale.colours);
  expect(scale.colours).toHaveLength(scale.bounds.length + 1);
  expect(new Set(scale.colours).size).toBe(scale.colours.length);
});

test("around the mean, a scale is grey", () => {
  for (const scale of [gpuLoadScale, expertLoadScale]) expect(byHand(1, scale)).toBe("var(--level)");
  expect(byHand(0, priceScale)).toBe("var(--level)");
});

test.each([
  [8, 1],
  [64, 2],
  [320, 16],
])("of %i columns every %i. has its number below", (columns, every) => {
  const values = [new Array<number>(columns).fill(1)];
  const svg = heatMap({ x: "GPU", y: "", columns: names(columns), rows: ["layer"], values, scale: gpuLoadScale });
  const numbers = textsOf(svg).filter((text) => /^\d+$/.test(text) && text !== "2"); // which is a bound, too
  const expected = names(columns).filter((name) => Number(name) % every === 0 && name !== "2");
  expect(numbers).toEqual(expected);
});
