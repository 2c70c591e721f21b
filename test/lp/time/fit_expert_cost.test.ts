import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { ArgumentError, ShapeError } from "../../../src/index.ts";
import { checkCost } from "../../../src/lp/time/expert_cost.ts";
import { type CostRow, fitExpertCost } from "../../../src/lp/time/fit_expert_cost.ts";
import { type Bad, errorOf, expectError, missing, negative, noNumbers } from "../../helpers/bad_input.ts";
import { single, timeOn } from "../../helpers/curves.ts";

const ROUNDING = 1e-12;
const tokensOf = ({ tokens, activated, topK }: CostRow) => (tokens * topK) / activated;

/** As a table is measured: tokens double, activated experts too, times stray by a share of themselves. */
function table(random: Random, c: (x: number) => number, noise: number): CostRow[] {
  const rows: CostRow[] = [];
  for (let tokens = 1; tokens <= 2048; tokens *= 2) {
    for (let activated = 8; activated <= Math.min(128, tokens * 8); activated *= 2) {
      const time = activated * c((tokens * 8) / activated) * (1 + noise * random.normal());
      rows.push({ tokens, activated, topK: 8, time });
    }
  }
  return random.shuffle(rows);
}

const roofline = (x: number) => Math.max(6.3, 0.035 * x);

describe("the curve", () => {
  test("is what was measured where nothing strays, and level down to one token", () => {
    const { cost, hull, error } = fitExpertCost([single(512, 18), single(64, 6.3), single(128, 6.5)]);
    expect(cost).toEqual({ tokens: [1, 64, 128, 512], time: [6.3, 6.3, 6.5, 18] });
    expect(hull).toBe(cost);
    expect(JSON.parse(JSON.stringify(cost))).toEqual(cost);
    // Without 512 the slope of 64 to 128 goes on, without 64 it is 6.5 down to 1, without 128 on the line from 64 to 512.
    const slopes = [6.5 + (0.2 / 64) * 384, 6.5, 6.3 + (11.7 / 448) * 64];
    const errors = [18, 6.3, 6.5].map((time, i) => Math.abs(slopes[i] - time) / time);
    expect(error).toBeCloseTo(errors.reduce((a, b) => a + b) / 3, 14);
  });

  test("x is tokens topK / activated, a time that of one expert", () => {
    const rows = [
      { tokens: 0.5, activated: 2, topK: 8, time: 20 },
      { tokens: 7, activated: 3, topK: 2, time: 60 },
    ];
    expect(fitExpertCost(rows).cost).toEqual({ tokens: [1, 2, 14 / 3], time: [10, 10, 20] });
  });

  test("a roofline is recovered through noise", () => {
    for (let seed = 0; seed < 20; seed++) {
      const rows = table(seeded(seed), roofline, 0.02);
      const { cost, error } = fitExpertCost(rows);
      // Beyond four standard deviations goes one of 16,000 rows.
      for (const x of rows.map(tokensOf)) {
        expect(Math.abs(timeOn(cost, x) / roofline(x) - 1), `seed ${seed}, x ${x}`).toBeLessThan(4 * 0.02);
      }
      expect(error, `seed ${seed}`).toBeLessThan(0.05);
      expect(error, `seed ${seed}`).toBeGreaterThan(0.01);
    }
  });

  test("never falls, and passes checkCost", () => {
    for (let seed = 0; seed < 100; seed++) {
      const { cost } = fitExpertCost(
        table(seeded(seed), roofline, 0.5).map((row) => ({ ...row, time: Math.abs(row.time) })),
      );
      const curve = checkCost(cost);
      const times = Array.from({ length: 3000 }, (_, x) => curve.time(x));
      expect(
        times.every((time, x) => time >= (times[x - 1] ?? 0)),
        `seed ${seed}`,
      ).toBe(true);
    }
  });

  test("rows of few experts do not move it: a launch, or weights in a cache", () => {
    const rows = table(seeded(1), roofline, 0);
    const launched = rows.map((row) => (row.activated === 8 ? { ...row, time: row.time * 5 } : row));
    const { tokens, time } = fitExpertCost(launched).cost;
    // Where no other row measures x, 8 experts are all there is: from 1,024 tokens on.
    for (let i = 0; tokens[i] < 2048; i++) expect(time[i], `x ${tokens[i]}`).toBeCloseTo(roofline(tokens[i]), 12);
  });

  test("x within 1 % of each other are one place", () => {
    const rows = [single(100, 5), single(100.9, 9), { ...single(100, 0), tokens: 1000, activated: 10, time: 60 }];
    const { tokens, time } = fitExpertCost([...rows, single(200, 12)]).cost;
    expect(tokens).toEqual([1, (100 + 100.9 + 1000) / 12, 200]);
    expect(time).toEqual([6, 6, 12]);
  });
});

/** All nondecreasing curves through times of the rows: one of them has the least absolute errors, as these bend at data only. */
function bruteForce(rows: readonly CostRow[], xs: readonly number[]): { least: number; lowest: number[] } {
  const levels = rows.map(({ time, activated }) => time / activated).sort((a, b) => a - b);
  let least = Infinity;
  let lowest: number[] = [];
  const visit = (chosen: number[], from: number) => {
    if (chosen.length < xs.length) {
      for (let i = from; i < levels.length; i++) visit([...chosen, levels[i]], i);
      return;
    }
    const sum = rows.reduce((sum, row) => {
      return sum + Math.abs(row.time - row.activated * chosen[xs.indexOf(tokensOf(row))]);
    }, 0);
    if (sum > least + ROUNDING * least) return;
    lowest = sum < least - ROUNDING * least ? chosen : lowest.map((time, i) => Math.min(time, chosen[i]));
    if (lowest.length === 0) lowest = chosen;
    least = Math.min(least, sum);
  };
  visit([], 0);
  return { least, lowest };
}

test("no curve that never falls has less absolute error, and none as little that is lower: brute force", () => {
  let violated = 0;
  for (let seed = 0; seed < 400; seed++) {
    const random = seeded(seed);
    const rows = Array.from({ length: 3 + random.below(5) }, (_, i): CostRow => {
      const activated = 1 + random.below(3);
      const x = i < 2 ? i + 1 : 1 + random.below(4);
      return { tokens: x * activated, activated, topK: 1, time: activated * (x + random.below(6)) };
    });
    const xs = [...new Set(rows.map(tokensOf))].sort((a, b) => a - b);
    const { lowest } = bruteForce(rows, xs);
    const { tokens, time } = fitExpertCost(rows).cost;
    expect(tokens, `seed ${seed}`).toEqual(xs);
    expect(time, `seed ${seed}`).toEqual(lowest);
    if (new Set(lowest).size < lowest.length) violated++;
  }
  expect(violated).toBeGreaterThan(100);
});

test("the error is that of leaving out one row after another", () => {
  for (let seed = 0; seed < 10; seed++) {
    const rows = table(seeded(seed), roofline, 0.1);
    const errors = rows.map((row, i) => {
      const { cost } = fitExpertCost(rows.filter((_, j) => j !== i));
      return Math.abs(row.activated * timeOn(cost, tokensOf(row)) - row.time) / row.time;
    });
    const mean = errors.reduce((a, b) => a + b) / rows.length;
    expect(fitExpertCost(rows).error, `seed ${seed}`).toBeCloseTo(mean, 12);
  }
});

test("of two rows each is predicted from the other alone: level", () => {
  expect(fitExpertCost([single(1, 5), single(40, 8)]).error).toBeCloseTo((3 / 5 + 3 / 8) / 2, 14);
  expect(fitExpertCost([single(2, 5), single(40, 8)]).error).toBeCloseTo((3 / 5 + 3 / 8) / 2, 14);
});

describe("bad input", () => {
  const good = [1, 64, 128].map((x) => single(x, x));
  const row = { tokens: 16, activated: 20, topK: 8, time: 90 };
  const field = (name: string, expected: string, values: [shown: string, value: unknown][]) =>
    values.map(
      ([shown, value]): Bad => [
        `rows[3].${name}: expected ${expected}, got ${shown}.`,
        ArgumentError,
        { [name]: value },
      ],
    );
  const below1: [string, unknown][] = [["0", 0], ["0.1", 0.1], missing, ...noNumbers, ...negative];
  test.each([
    ...field("topK", "an integer >= 1", [["0", 0], ["1.5", 1.5], missing, ...noNumbers, ...negative]),
    ...field("tokens", "a number, tokens * topK being 1 to 2147483647", [...below1, ["268435456", 2 ** 28]]),
    ...field("activated", "a number from 1 to tokens * topK = 128", [...below1, ["129", 129]]),
    ...field("time", "a number within 1e-20 to 1e+25", [
      ["0", 0],
      ["1e-21", 1e-21],
      ["1e+26", 1e26],
      missing,
      ...noNumbers,
      ...negative,
    ]),
  ])("%s", (message, kind, part) => {
    const rows = [...good, { ...row, ...part }] as unknown as CostRow[];
    expectError(
      errorOf(() => fitExpertCost(rows)),
      message,
      kind,
    );
  });

  const expected = "rows with at least two numbers of tokens per activated expert, more than 1 % apart";
  test.each<[string, unknown, string, typeof ArgumentError]>([
    ["no rows", [], `rows: expected ${expected}, got 0.`, ShapeError],
    ["one number of tokens", [single(100, 3), single(101, 4)], `rows: expected ${expected}, got 1.`, ShapeError],
    [
      "no array",
      { 0: row, length: 1 },
      "rows: expected an array of { tokens, activated, topK, time }, got an object of Object.",
      ArgumentError,
    ],
    ["no row", [row, 7], "rows[1]: expected an object, got 7.", ArgumentError],
    ["a hole", Object.assign(new Array(2), [row]), "rows[1]: expected an object, got undefined.", ArgumentError],
    [
      "a field that nobody reads",
      [row, { ...row, topk: 8 }],
      'rows[1]: expected only tokens, activated, topK, time, got "topk". Did you mean topK?',
      ArgumentError,
    ],
    [
      "more tokens of an expert than the hull looks at",
      [row, { tokens: 2 ** 23, activated: 1, topK: 1, time: 9 }],
      "rows[1].tokens: expected at most 4194304 tokens * topK / activated, got 8388608.",
      ArgumentError,
    ],
  ])("%s", (_, rows, message, kind) =>
    expectError(
      errorOf(() => fitExpertCost(rows as CostRow[])),
      message,
      kind,
    ),
  );

  test("the good rows are good", () => {
    expect(() => fitExpertCost([...good, row])).not.toThrow();
  });
});
