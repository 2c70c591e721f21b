import { expect, test } from "vitest";
import {
  decimalsFor,
  estimate,
  fixed,
  percent,
  threeFigures,
  timeInWords,
  timeUnit,
} from "../../../src/cli/print/simulation_units.ts";

test("times side by side have one unit: ms below 10 s, s above, rounds where steps are rounds", () => {
  expect(timeUnit([0.0123, 1.5, Number.NaN], "seconds")).toMatchObject({ name: "ms", perUnit: 1e3 });
  expect(timeUnit([0.0123, 10], "seconds")).toMatchObject({ name: "s", perUnit: 1 });
  expect(timeUnit([0.5, 7000], "rounds")).toMatchObject({ name: "rounds", perUnit: 1 });
  expect(timeUnit([Number.NaN], "seconds").name).toBe("ms");
});

test("decimals show three figures of the least, but not more than five of the largest", () => {
  const cases: [number[], number][] = [
    [[1.234, 56.7], 2],
    [[12.34], 1],
    [[123, 4567], 0],
    [[1.5, 2345], 1],
    [[0.0001], 3],
    [[0, Number.NaN], 0],
    [[], 0],
  ];
  for (const [values, decimals] of cases) expect(decimalsFor(values), `${values}`).toBe(decimals);
});

test("figures, with half of their interval where there is one", () => {
  expect(estimate({ mean: 1.23456, halfWidth: 0.05 }, 1e3, 1)).toBe("1,234.6 +-50.0");
  expect(estimate({ mean: 2, halfWidth: Number.NaN }, 1, 1)).toBe("2.0");
  expect(estimate({ mean: Number.NaN, halfWidth: Number.NaN }, 1, 1)).toBe("-");
  expect(fixed(-0.004, 2)).toBe("0.00");
  expect(fixed(-1234.5, 1)).toBe("-1,234.5");
});

test("a figure by itself", () => {
  expect(timeInWords(0.01234, "seconds")).toBe("12.3 ms");
  expect(timeInWords(2.5, "seconds")).toBe("2,500 ms");
  expect(timeInWords(3541.7, "seconds")).toBe("3,542 s");
  expect(timeInWords(17, "rounds")).toBe("17 rounds");
  expect(timeInWords(Number.NaN, "seconds")).toBe("-");
  expect(threeFigures(0.00012345)).toBe("0.000123");
  expect(percent(0.1234)).toBe("12.3 %");
});
