/** A cost as it is checked: its curve, what is said of the curve, and costs that are none. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { ArgumentError, type ExpertCost, ShapeError } from "../../../src/index.ts";
import { type Curve, checkCost, oneCost, requireSameCost } from "../../../src/lp/time/expert_cost.ts";
import { type Bad, errorOf, expectError } from "../../helpers/bad_input.ts";
import { costOf, costs } from "../../helpers/timed_problems.ts";

/** Beyond all points of the curves that are drawn, and their tiles, twice over. */
const FAR = 80;
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-12 * Math.max(a, b);

/** c at a whole number of tokens by the points that a curve tells of itself. */
function byPoints({ points, slope, rounding }: Curve, tokens: number): number {
  const x = rounding * Math.ceil(tokens / rounding);
  const next = points.findIndex(([end]) => end >= x);
  if (next < 0) return points.at(-1)![1] + slope * (x - points.at(-1)![0]);
  const [[x0, t0], [x1, t1]] = [points[Math.max(0, next - 1)], points[next]];
  return x1 === x ? t1 : t0 + ((x - x0) * (t1 - t0)) / (x1 - x0);
}

/** The tile T for which c(x) = c(1) ceil(x / T), by trying all. */
function tileOf(c: (x: number) => number): number | undefined {
  for (let tile = 1; tile <= FAR; tile++) {
    const is = (x: number) => near(c(x), c(1) * Math.ceil(x / tile));
    if (Array.from({ length: FAR }, (_, i) => i + 1).every(is)) return tile === FAR ? Infinity : tile;
  }
  return undefined;
}

function cheaperInTwo(c: (x: number) => number): boolean {
  for (let x = 1; x <= FAR; x++) {
    for (let y = 1; y <= FAR; y++) if (c(x) + c(y) < c(x + y) * (1 - 1e-12)) return true;
  }
  return false;
}

describe.each(Object.keys(costs))("costs of the kind %s", (kind) => {
  const drawn = Array.from({ length: 40 }, (_, seed) => costs[kind](seeded(seed)));

  test("are the curve that they define, as a function and by its points", () => {
    for (const cost of drawn) {
      const curve = checkCost(cost);
      const c = costOf(cost);
      const { points } = curve;
      expect(points[0][0]).toBe(1);
      expect(points.every(([x], i) => Number.isInteger(x) && (i === 0 || x > points[i - 1][0]))).toBe(true);
      for (let x = 0; x <= FAR; x++) {
        expect(near(curve.time(x), c(x)), `${JSON.stringify(cost)}, ${x} tokens`).toBe(true);
        if (x > 0) expect(near(byPoints(curve, x), c(x)), `${JSON.stringify(cost)} by points, ${x}`).toBe(true);
      }
    }
  });

  test("have the unit and the tile that trying all finds, and are subadditive where no two parts are cheaper", () => {
    for (const cost of drawn) {
      const { unit, tile, subadditive } = checkCost(cost);
      const c = costOf(cost);
      expect([unit, tile], JSON.stringify(cost)).toEqual([c(1), tileOf(c)]);
      expect(subadditive, JSON.stringify(cost)).toBe(!cheaperInTwo(c));
    }
  });
});

test("what is drawn is of all sorts", () => {
  const drawn = Object.values(costs).flatMap((draw) => Array.from({ length: 40 }, (_, seed) => draw(seeded(seed))));
  const curves = drawn.map((cost) => checkCost(cost));
  const tiles = new Set(curves.map(({ tile }) => tile));
  for (const tile of [1, 2, 3, 4, 5, Infinity, undefined]) expect(tiles).toContain(tile);
  expect(curves.filter(({ subadditive }) => !subadditive).length).toBeGreaterThan(80);
  expect(curves.filter(({ unit }) => unit === 0).length).toBeGreaterThan(5);
});

test("by hand", () => {
  const at = (cost: ExpertCost, ...tokens: number[]) => tokens.map(checkCost(cost).time);
  expect(at({ model: "roofline", perExpert: 6, perToken: 0.5 }, 0, 1, 12, 13)).toEqual([0, 6, 6, 6.5]);
  expect(at({ model: "affine", perExpert: 6, perToken: 0.5 }, 0, 1, 12)).toEqual([0, 6.5, 12]);
  expect(at({ model: "roofline", perExpert: 6, perToken: 1, tile: 4 }, 0, 1, 4, 5, 8, 9)).toEqual([0, 6, 6, 8, 8, 12]);
  expect(at({ tokens: [2, 4], time: [6, 7] }, 0, 1, 2, 3, 4, 6)).toEqual([0, 3, 6, 6.5, 7, 8]);
  expect(at({ tokens: [0, 2, 4], time: [0, 6, 7] }, 0, 1, 2, 3)).toEqual([0, 3, 6, 6.5]);
  expect(at({ tokens: [1.5, 3.5], time: [3, 3] }, 1, 2, 9)).toEqual([2, 3, 3]);
});

test("a curve that is cheaper in parts only far out, or only just, is found", () => {
  const subadditive = (cost: ExpertCost) => checkCost(cost).subadditive;
  expect(subadditive({ tokens: [1, 1000], time: [5, 20] })).toBe(true);
  // 2,000 tokens take 40 in two slots.
  expect(subadditive({ tokens: [1, 1000, 1001], time: [5, 20, 20.02] })).toBe(true);
  expect(subadditive({ tokens: [1, 1000, 1001], time: [5, 20, 20.0201] })).toBe(false);
  // 1,001 take 25 as 1,000 and 1.
  expect(subadditive({ tokens: [1, 1000, 1001, 1e6], time: [5, 20, 25, 25] })).toBe(true);
  expect(subadditive({ tokens: [1, 1000, 1001, 1e6], time: [5, 20, 25.001, 25.001] })).toBe(false);
});

test("is a copy of what was given", () => {
  const random: Random = seeded(1);
  const cost = { tokens: Float32Array.of(1, 8, 64), time: [2, 3, 4 + random.next()] };
  const { given, time } = checkCost(cost);
  const before = [time(8), time(64), JSON.stringify(given)];
  cost.tokens.fill(0);
  cost.time.fill(9);
  expect([time(8), time(64), JSON.stringify(given)]).toEqual(before);
});

test("is the same with or without a tile of 1, in arrays of either kind, and else another", () => {
  const plain = { model: "roofline", perExpert: 6, perToken: 1 } as const;
  const curve = { tokens: [1, 2], time: [3, 4] };
  expect(oneCost(undefined, undefined)).toBeUndefined();
  expect(oneCost(plain, undefined)).toBe(plain);
  expect(oneCost(undefined, curve)).toBe(curve);
  expect(oneCost(plain, { ...plain, tile: 1 })).toBe(plain);
  expect(oneCost(curve, { tokens: Int32Array.of(1, 2), time: Float64Array.of(3, 4) })).toBe(curve);
  const another = /^options\.cost: expected none, or the same cost as with the problem, got "another"\.$/;
  const others: ExpertCost[] = [
    { ...plain, tile: 2 },
    { ...plain, model: "affine" },
    { ...plain, perToken: 1.0000001 },
    curve,
  ];
  for (const other of others) expect(() => oneCost(plain, other)).toThrow(another);
  expect(() => oneCost(curve, { tokens: [1, 2], time: [3, 5] })).toThrow(another);
  expect(() => requireSameCost(plain, undefined, "loads.cost", "in the solver")).toThrow(/^loads\.cost: expected none/);
});

describe("costs that are none", () => {
  const model = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
  const forms = "{ model, perExpert, perToken } or { tokens, time }";
  const rate = "0, or a number within 1e-30 to 1e+30";
  const tile = "an integer from 1 to 2147483647";
  const array = "an array or TypedArray of numbers";
  const rising = (i: number, least: number) =>
    `a number of at least time[${i}] = ${least}, since more tokens never take less time, within 1e-30 to 1e+30`;
  const curve = (tokens: unknown, time: unknown) => ({ tokens, time });
  const cases: [message: string, kind: Bad[1], cost: unknown][] = [
    [`cost: expected ${forms}, got null.`, ArgumentError, null],
    [`cost: expected ${forms}, got undefined.`, ArgumentError, undefined],
    [`cost: expected ${forms}, got "roofline".`, ArgumentError, "roofline"],
    [`cost: expected ${forms}, got 6.3.`, ArgumentError, 6.3],
    [`cost: expected ${forms}, got a function.`, ArgumentError, () => 6.3],
    ['cost.model: expected "roofline" or "affine", got "linear".', ArgumentError, { ...model, model: "linear" }],
    ['cost.model: expected "roofline" or "affine", got undefined.', ArgumentError, { ...model, model: undefined }],
    [`cost.perExpert: expected ${rate}, got -1.`, ArgumentError, { ...model, perExpert: -1 }],
    [`cost.perExpert: expected ${rate}, got Infinity.`, ArgumentError, { ...model, perExpert: Infinity }],
    [`cost.perExpert: expected ${rate}, got undefined.`, ArgumentError, { model: "affine" }],
    [`cost.perToken: expected ${rate}, got "0.035".`, ArgumentError, { ...model, perToken: "0.035" }],
    [`cost.perToken: expected ${rate}, got NaN.`, ArgumentError, { ...model, perToken: Number.NaN }],
    [`cost.perToken: expected ${rate}, got 1n.`, ArgumentError, { ...model, perToken: 1n }],
    [
      'cost: expected perExpert or perToken above 0, got "both 0".',
      ArgumentError,
      { ...model, perExpert: 0, perToken: 0 },
    ],
    [`cost.tile: expected ${tile}, got 0.`, ArgumentError, { ...model, tile: 0 }],
    [`cost.tile: expected ${tile}, got -8.`, ArgumentError, { ...model, tile: -8 }],
    [`cost.tile: expected ${tile}, got 64.5.`, ArgumentError, { ...model, tile: 64.5 }],
    [`cost.tile: expected ${tile}, got "64".`, ArgumentError, { ...model, tile: "64" }],
    [`cost.tile: expected ${tile}, got 2147483648.`, ArgumentError, { ...model, tile: 2 ** 31 }],
    [`cost.tokens: expected ${array}, got undefined.`, ArgumentError, {}],
    [`cost.tokens: expected ${array}, got "12".`, ArgumentError, curve("12", [1, 2])],
    [`cost.time: expected ${array}, got undefined.`, ArgumentError, { tokens: [1, 2] }],
    ["cost.tokens: expected at least two points, got 1.", ShapeError, curve([1], [6.3])],
    ["cost.tokens: expected at least two points, got 0.", ShapeError, curve([], [])],
    ["cost.time: expected as many values as tokens, 3, got 2.", ShapeError, curve([1, 2, 3], [1, 2])],
    ["cost.tokens[0]: expected a number >= 0, at most 2147483647, got -1.", ArgumentError, curve([-1, 3], [0, 2])],
    [
      "cost.tokens[2]: expected a number above tokens[1] = 3, at most 2147483647, got 3.",
      ArgumentError,
      curve([1, 3, 3], [1, 2, 3]),
    ],
    [
      "cost.tokens[1]: expected a number above tokens[0] = 1, at most 2147483647, got NaN.",
      ArgumentError,
      curve([1, Number.NaN], [1, 2]),
    ],
    [
      "cost.tokens[1]: expected a number above tokens[0] = 1, at most 2147483647, got Infinity.",
      ArgumentError,
      curve([1, Infinity], [1, 2]),
    ],
    ["cost.time[0]: expected 0 of 0 tokens, got 1.", ArgumentError, curve([0, 2], [1, 4])],
    [
      "cost.time[0]: expected a number of at least 0, within 1e-30 to 1e+30, got -1.",
      ArgumentError,
      curve([1, 2], [-1, 4]),
    ],
    [`cost.time[2]: expected ${rising(1, 4)}, got 3.9.`, ArgumentError, curve([1, 2, 3], [3, 4, 3.9])],
    [`cost.time[1]: expected ${rising(0, 1)}, got NaN.`, ArgumentError, curve([1, 2, 3], [1, Number.NaN, 5])],
    [`cost.time[1]: expected ${rising(0, 1)}, got "2".`, ArgumentError, curve([1, 2], [1, "2"])],
    ['cost.time: expected a time above 0, got "none".', ArgumentError, curve([1, 3], [0, 0])],
  ];
  test.each(cases)("%s", (message, kind, cost) => {
    expectError(
      errorOf(() => checkCost(cost as ExpertCost)),
      message,
      kind,
    );
    const other = message.replace(/^cost/, "options.cost");
    expectError(
      errorOf(() => checkCost(cost as ExpertCost, "options.cost")),
      other,
      kind,
    );
  });

  test("an unknown field names the one that was meant", () => {
    const message = (cost: object) => (errorOf(() => checkCost(cost as ExpertCost)) as Error).message;
    expect(message({ ...model, perTokens: 1 })).toMatch(
      /^cost: expected only .*got "perTokens"\. Did you mean perToken\?/,
    );
    expect(message({ tokens: [1, 2], times: [1, 2] })).toMatch(/got "times"\. Did you mean time\?/);
  });
});
