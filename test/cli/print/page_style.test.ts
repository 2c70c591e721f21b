import { expect, test } from "vitest";
import { themes } from "../../../src/cli/print/page_style.ts";
import { contrast } from "./html.ts";

test("contrast is counted as WCAG does", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 9);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2); // the grey that just fails
});

test.each(Object.entries(themes))(
  "on %s screens text and lines stand out from what they are on, as WCAG AA asks",
  (_, theme) => {
    const colours: Record<string, string> = theme;
    for (const behind of [colours.page, colours.panel]) {
      expect(contrast(colours.text, behind)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(colours.faint, behind)).toBeGreaterThanOrEqual(4.5);
    }
    const series = Object.keys(colours).filter((name) => name.startsWith("series"));
    expect(series).toHaveLength(8);
    for (const name of series) expect(contrast(colours[name], colours.page), name).toBeGreaterThanOrEqual(3);
  },
);

test.each(Object.entries(themes))(
  "on %s screens a class of a map stands out more the further it is from the mean",
  (_, theme) => {
    const colours: Record<string, string> = theme;
    for (const side of [
      ["level", "less-1", "less-2", "less-3", "less-4", "less-5"],
      ["level", "more-1", "more-2", "more-3", "more-4", "more-5", "more-6"],
    ]) {
      const fromPage = side.map((name) => contrast(colours[name], colours.page));
      expect(fromPage).toEqual([...fromPage].sort((a, b) => a - b));
      for (const [i, value] of fromPage.slice(1).entries()) expect(value / fromPage[i]).toBeGreaterThan(1.1);
    }
  },
);

test("both screens have the same colours to fill in", () => {
  expect(Object.keys(themes.dark)).toEqual(Object.keys(themes.light));
});
