import { expect, test } from "vitest";
import { barChart, lineChart } from "../../../src/cli/print/charts.ts";

type Point = readonly [number, number];
const y = { name: "imbalance" };
const points: Point[] = [
  [0, 1],
  [5, 1.5],
  [10, 1.25],
];
const upTo = [2, 3, 1.25];

function outlines(svg: string, attribute: RegExp): string[][] {
  const paths = [...svg.matchAll(/<(?:path d|polygon points|polyline points)="([^"]*)"([^>]*)/g)].filter(([, , rest]) =>
    attribute.test(rest),
  );
  return paths.map(([, d]) => d.match(/[\d.]+ [\d.]+/g)!);
}

test("a band is what is between a line and what it reaches up to", () => {
  // The second line is where the first one's band should end.
  const ends = points.map(([x], i): Point => [x, upTo[i]]);
  const series = [
    { name: "LP", points, upTo },
    { name: "end", points: ends },
  ];
  const svg = lineChart({
    x: { name: "step" },
    y,
    series: series.map((one) => ({ ...one, points: [...one.points] as [number, number][] })),
  });
  const [band, ...more] = outlines(svg, /fill-opacity="0.14"/);
  expect(more).toEqual([]);
  const lines = outlines(svg, /fill="none"[^>]*stroke="var\(--series/).filter(({ length }) => length === 3);
  expect(lines).toHaveLength(2);
  expect(new Set(band)).toEqual(new Set(lines.flat()));
});

test("there is no bar where there is no value", () => {
  const bars = (values: (number | undefined)[]) => {
    const categories = values.map((_, i) => `${i}`);
    return outlines(
      barChart({ x: "layer", y: { ...y, min: 1 }, categories, series: [{ name: "LP", values, colour: 2 }] }),
      /fill="var\(--series-2/,
    );
  };
  expect(bars([1.5, 1.25, 1.5]).length - bars([1.5, undefined, 1.5]).length).toBe(1);
});
