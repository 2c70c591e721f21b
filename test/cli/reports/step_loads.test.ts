import { describe, expect, test } from "vitest";
import type { LoadHistory } from "../../../src/cli/files/load_file.ts";
import { beyondInWords, loadsBeyond, perStep } from "../../../src/cli/reports/step_loads.ts";
import { LoadError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";

const history = (rows: number[][][]): LoadHistory => ({
  source: "loads.json",
  steps: rows.length,
  layers: rows[0].length,
  experts: rows[0][0].length,
  loads: rows.flat(2).every(Number.isInteger) ? Int32Array.from(rows.flat(2)) : Float64Array.from(rows.flat(2)),
});
const stepOf = (row: number[], stepsPerRow: number) => [...perStep(history([[row]]), stepsPerRow).loads];

describe("what one step has", () => {
  test("by hand", () => {
    expect(stepOf([10, 20, 30, 40], 10)).toEqual([1, 2, 3, 4]);
    expect(stepOf([11, 14, 35, 40], 10)).toEqual([1, 1, 4, 4]); // 10 tokens: the one that is left goes to 35
    expect(stepOf([1, 4, 7, 0], 3)).toEqual([1, 1, 2, 0]); // 4 tokens: equal remainders, the first gets it
    expect(stepOf([0, 6, 0], 4)).toEqual([0, 2, 0]);
    expect(stepOf([1, 1, 1], 10)).toEqual([0, 0, 0]);
    expect(stepOf([0.4, 2.7, 3.9], 1)).toEqual([0, 3, 4]);
    const { loads, ...same } = perStep(history([[[8, 0]], [[0, 12]]]), 4);
    expect(same).toEqual({ source: "loads.json", steps: 2, layers: 1, experts: 2 });
    expect(loads).toEqual(Int32Array.of(2, 0, 0, 3));
  });

  test("whole loads of single steps stay as they are", () => {
    const recorded = history([
      [
        [3, 0, 2 ** 30],
        [1, 2, 3],
      ],
    ]);
    expect(perStep(recorded, 1)).toEqual(recorded);
  });

  test("the sum is kept, every expert is within a token of its share, and nobody's share is nearer to the next token but gets less", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(seed);
      const n = 1 + random.below(200);
      const sums = Array.from({ length: 1 + random.below(40) }, () =>
        random.pick([0, random.below(10), random.below(5000)]),
      );
      const loads = stepOf(sums, n);
      const add = (values: number[]) => values.reduce((a, b) => a + b, 0);
      // Half a token is rounded up. In whole numbers: 2 total = 2 sums / n, plus or minus 1.
      const twice = 2 * n * add(loads) - 2 * add(sums);
      expect(twice > -n && twice <= n, `seed ${seed}: ${add(loads)} of ${add(sums)} / ${n}`).toBe(true);
      const over = loads.map((load, e) => load * n - sums[e]);
      expect(
        over.every((more) => Math.abs(more) < n),
        `seed ${seed}`,
      ).toBe(true);
      const up = over.flatMap((more, e) => (more > 0 ? [sums[e] % n] : []));
      const down = over.flatMap((more, e) => (more < 0 ? [sums[e] % n] : []));
      expect(Math.min(...up) >= Math.max(...down), `seed ${seed}`).toBe(true);
    }
  });

  test("more tokens than can be counted are refused, with the remedy", () => {
    const sums = history(
      [[[1, 2]], [[2 ** 31, 2 ** 31]]].map((layers) => layers.map((row) => row.map((n) => n + 0.5))),
    );
    expect(() => perStep(sums, 1)).toThrow(LoadError);
    expect(() => perStep(sums, 1)).toThrow(
      "loads.json: step 1, layer 0: expected at most 2147483647 tokens, got 4294967297. With a cost a row is a step: --steps-per-row says of how many it is the sum.",
    );
    expect([...perStep(sums, 4).loads]).toEqual([0, 1, 2 ** 29, 2 ** 29]);
  });
});

describe("loads beyond what was measured", () => {
  const recorded = history([[[100, 101, 0, 5]], [[0, 2048, 99, 100]]]);

  test("are counted among those that are not 0", () => {
    expect(loadsBeyond(recorded, 100)).toEqual({ beyond: 2, loads: 6 });
    expect(loadsBeyond(recorded, 2048)).toEqual({ beyond: 0, loads: 6 });
    expect(loadsBeyond(recorded, 0.5)).toEqual({ beyond: 6, loads: 6 });
    expect(loadsBeyond(recorded, Infinity)).toEqual({ beyond: 0, loads: 6 });
  });

  test("in words", () => {
    const cost = { source: "rtx.csv", cost: { tokens: [1, 100], time: [6, 8] }, last: 100 };
    const end = "their cost is a guess. If a row of the recording is a sum of steps, --steps-per-row says of how many.";
    expect(beyondInWords(recorded, { ...cost, last: 2047 }, true)).toBe(
      `rtx.csv ends at 2,047 tokens of an expert, and 1 of 6 expert loads is larger: ${end}`,
    );
    expect(beyondInWords(recorded, { ...cost, last: 2047 }, false)).toBe(
      "rtx.csv ends at 2,047 tokens of an expert, and 1 of 6 expert loads is larger: their cost is a guess.",
    );
    expect(beyondInWords(recorded, { ...cost, last: Infinity }, true)).toBeUndefined();
  });

  test("that are beyond on average, as sums of steps are", () => {
    const cost = { source: "rtx.csv", cost: { tokens: [1, 100], time: [6, 8] }, last: 100 };
    expect(beyondInWords(recorded, cost, true)).toBe(
      "rtx.csv ends at 100 tokens of an expert, and 2 of 6 expert loads are larger: their cost is a guess. " +
        "On average they have 409 tokens, many for one step. Sums of steps show the wrong regime, as if all tokens had come at once: " +
        "--steps-per-row says of how many steps a row is the sum.",
    );
    const mean = (100 + 101 + 5 + 2048 + 99 + 100) / 6;
    expect(beyondInWords(recorded, { ...cost, last: mean }, true)).not.toContain("On average");
    expect(beyondInWords(recorded, cost, false)).not.toContain("On average");
  });
});
