import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../src/common/errors.ts";
import { seeded } from "../../src/common/random.ts";
import { fitStepTime, type StepRow } from "../../src/serving/fit_step_time.ts";
import { chunkContext, type StepTime } from "../../src/serving/step_time.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../helpers/recorded.ts";

const planted: StepTime = {
  base: 0.008,
  perSequence: 2e-5,
  perKvToken: 1.5e-8,
  perPrefillToken: 6e-6,
  perContext: 1e-9,
};

const timeOf = (c: StepTime, r: Omit<StepRow, "time">) =>
  c.base +
  c.perSequence * r.running +
  c.perKvToken * r.kvTokens +
  c.perPrefillToken * r.prefillTokens +
  c.perContext * r.context;

/** Steps of which each third prefills, their time off by a factor of 1 + noise * normal. */
function steps(n: number, { c = planted, noise = 0, seed = 1 } = {}): StepRow[] {
  const random = seeded(seed);
  return Array.from({ length: n }, (_, i) => {
    const running = 1 + random.below(128);
    const prefillTokens = i % 3 === 0 ? 1 + random.below(2048) : 0;
    const context = chunkContext(random.below(8192), prefillTokens);
    const row = { running, kvTokens: running * random.below(4000), prefillTokens, context };
    return { ...row, time: timeOf(c, row) * (1 + noise * random.normal()) };
  });
}

const share = (predicted: number, actual: number) => Math.abs(predicted - actual) / actual;

describe("fitting the time of steps", () => {
  test("finds planted coefficients", () => {
    const { stepTime, error, heldOutError } = fitStepTime(steps(60));
    for (const [name, value] of Object.entries(planted)) {
      expect(share(stepTime[name as keyof StepTime], value), name).toBeLessThan(1e-11);
    }
    expect(Math.max(error, heldOutError)).toBeLessThan(1e-12);
  });

  test("finds them under noise, low by twice its square, and tells the noise", () => {
    const noise = 0.1;
    const rows = steps(20_000, { noise });
    const { stepTime, error, heldOutError } = fitStepTime(rows);
    for (const [name, value] of Object.entries(planted)) {
      const ratio = stepTime[name as keyof StepTime] / value;
      expect(Math.abs(ratio - 1), name).toBeLessThan(0.05);
    }
    const ratios = rows.map((row) => timeOf(stepTime, row) / timeOf(planted, row));
    const mean = ratios.reduce((a, b) => a + b) / ratios.length;
    // 5 standard errors of a mean of 16,000 rows, and what is of fourth order.
    expect(Math.abs(mean - (1 - 2 * noise ** 2))).toBeLessThan((5 * noise) / Math.sqrt(16_000) + 10 * noise ** 4);
    // The mean of |normal| is sqrt(2 / pi), its spread 0.603; the rest is of third order.
    const expected = noise * Math.sqrt(2 / Math.PI);
    const slack = (share: number) => (5 * 0.603 * noise) / Math.sqrt(share * 20_000) + 5 * noise ** 3;
    expect(Math.abs(error - expected)).toBeLessThan(slack(0.8));
    expect(Math.abs(heldOutError - expected)).toBeLessThan(slack(0.2));
  });

  test("a coefficient that would be negative is 0", () => {
    const rows = steps(200, { c: { ...planted, perSequence: -2e-5 } });
    const { stepTime } = fitStepTime(rows);
    expect(stepTime.perSequence).toBe(0);
    expect(Math.min(...Object.values(stepTime))).toBe(0);
    expect(stepTime.base).toBeGreaterThan(0);
  });

  test("relative errors count: a short step that is off by a tenth weighs as a long one", () => {
    // Of two groups at the same place the fit to relative errors is sum(1/t) / sum(1/t^2): 1.2 here; the mean would be 1.5.
    const rows = [1, 1, 1, 2, 2, 2].map((time) => ({ running: 0, kvTokens: 0, prefillTokens: 0, context: 0, time }));
    const { stepTime, error, heldOutError } = fitStepTime(rows, { heldOut: 0 });
    expect(stepTime.base).toBeCloseTo(1.2, 12);
    expect(error).toBeCloseTo(0.3, 12); // (0.2 + 0.4) / 2
    expect(heldOutError).toBeNaN();
  });

  test("what no row has costs 0", () => {
    const rows = steps(50).filter((row) => row.prefillTokens === 0);
    const { stepTime, error } = fitStepTime(rows);
    expect(stepTime.perPrefillToken).toBe(0);
    expect(stepTime.perContext).toBe(0);
    expect(share(stepTime.perKvToken, planted.perKvToken)).toBeLessThan(1e-11);
    expect(error).toBeLessThan(1e-12);
  });

  test("the fit does not see the rows held out, whatever share they are", () => {
    const good = steps(50, { noise: 0.1 });
    for (const heldOut of [0.02, 0.2, 0.5, 0.9]) {
      const plain = fitStepTime(good, { heldOut });
      const seen: number[] = [];
      good.forEach((row, i) => {
        const changed = fitStepTime(good.with(i, { ...row, time: row.time * 2 }), { heldOut });
        const same = JSON.stringify(changed.stepTime) === JSON.stringify(plain.stepTime);
        if (!same) seen.push(i);
        expect(changed.error === plain.error, `row ${i}`).toBe(same);
        if (same) expect(changed.heldOutError).not.toBe(plain.heldOutError);
      });
      expect(good.length - seen.length).toBe(Math.round(heldOut * 50));
      // The errors, from the rows found so.
      const errors = (of: (i: number) => boolean) =>
        good.filter((_, i) => of(i)).map((row) => share(timeOf(plain.stepTime, row), row.time));
      const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
      expect(mean(errors((i) => seen.includes(i)))).toBeCloseTo(plain.error, 12);
      expect(mean(errors((i) => !seen.includes(i)))).toBeCloseTo(plain.heldOutError, 12);
    }
  });

  test("one row is held out where the share of few rows is less", () => {
    expect(fitStepTime(steps(20), { heldOut: 1e-9 }).heldOutError).toBeLessThan(1e-12);
  });

  test("rows are left as they are", () => {
    const rows = steps(20);
    const before = structuredClone(rows);
    fitStepTime(rows);
    expect(rows).toEqual(before);
  });
});

describe("what cannot be fitted", () => {
  const rows = steps(10);
  const with0 = (part: object) => rows.with(0, { ...rows[0], ...part });
  test.each<[string, unknown, object | undefined, typeof ArgumentError]>([
    [
      "rows: expected 5 at least beside the 0 held out, one for each coefficient, got 0.",
      [],
      { heldOut: 0 },
      ShapeError,
    ],
    [
      "rows: expected 5 at least beside the 1 held out, one for each coefficient, got 5.",
      rows.slice(0, 5),
      {},
      ShapeError,
    ],
    [
      "rows: expected 5 at least beside the 6 held out, one for each coefficient, got 10.",
      rows,
      { heldOut: 0.6 },
      ShapeError,
    ],
    ["rows: expected an array of measured steps, got undefined.", undefined, {}, ArgumentError],
    ["rows[0]: expected an object, got 7.", rows.with(0, 7 as never), {}, ArgumentError],
    ["rows[0].running: expected a number >= 0, below 2^53, got -1.", with0({ running: -1 }), {}, ArgumentError],
    ["rows[0].kvTokens: expected a number >= 0, below 2^53, got NaN.", with0({ kvTokens: NaN }), {}, ArgumentError],
    [
      "rows[0].context: expected a number >= 0, below 2^53, got Infinity.",
      with0({ context: Infinity }),
      {},
      ArgumentError,
    ],
    [
      'rows[0].prefillTokens: expected a number >= 0, below 2^53, got "7".',
      with0({ prefillTokens: "7" }),
      {},
      ArgumentError,
    ],
    [
      "rows[0].time: expected a number of seconds from 1e-12 to 1000000000000, got 0.",
      with0({ time: 0 }),
      {},
      ArgumentError,
    ],
    [
      "rows[0].time: expected a number of seconds from 1e-12 to 1000000000000, got -1.",
      with0({ time: -1 }),
      {},
      ArgumentError,
    ],
    [
      "rows[0].time: expected a number of seconds from 1e-12 to 1000000000000, got undefined.",
      with0({ time: undefined }),
      {},
      ArgumentError,
    ],
    ["options.heldOut: expected a share, 0 <= heldOut < 1, got 1.", rows, { heldOut: 1 }, ArgumentError],
    ["options.heldOut: expected a share, 0 <= heldOut < 1, got -0.1.", rows, { heldOut: -0.1 }, ArgumentError],
    ["options.heldOut: expected a share, 0 <= heldOut < 1, got null.", rows, { heldOut: null }, ArgumentError],
    ['options: expected only heldOut, got "heldout". Did you mean heldOut?', rows, { heldout: 0.1 }, ArgumentError],
  ])("%s", (message, given, options, kind) => {
    const fit = () => fitStepTime(given as StepRow[], options);
    expect(fit).toThrow(kind);
    expect(fit).toThrow(message);
  });
});

const profile = "perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_";
const table = (name: string): string[][] =>
  recordedBytes(profile + name)
    .toString()
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(","));

/** us over tokens or sequences, linear between the measured ones and on beyond the last. */
function curve(points: readonly (readonly [number, number])[]): (x: number) => number {
  return (x) => {
    const below = points.slice(1, -1).filter(([at]) => at < x).length;
    const [[x0, y0], [x1, y1]] = [points[below], points[below + 1]];
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  };
}

function curves(rows: readonly string[][]): Record<string, (x: number) => number> {
  const layers = [...new Set(rows.map(([layer]) => layer))];
  return Object.fromEntries(
    layers.map((layer) => [
      layer,
      curve(rows.filter(([name]) => name === layer).map(([, x, us]) => [Number(x), Number(us)] as const)),
    ]),
  );
}

/** Steps of Qwen3-30B-A3B, 48 layers, put together from its profile, each expert active that can be. */
function profiled(): StepRow[] {
  const dense = curves(table("dense.csv"));
  const perSequence = curves(table("per_sequence.csv"));
  const experts = curve(
    table("moe.csv")
      .map((row) => row.map(Number))
      .filter(([tokens, active]) => active === Math.min(128, 8 * tokens))
      .map(([tokens, , us]) => [tokens, us] as const),
  );
  return table("attention.csv.gz").map((row) => {
    const [prefillTokens, before, decoding, kvEach, attentionUs] = row.map(Number);
    const tokens = prefillTokens + decoding;
    const running = decoding + (prefillTokens > 0 ? 1 : 0);
    const projections = ["qkv_proj", "qk_norm", "rotary_emb", "o_proj", "layernorm", "layernorm"];
    const layerUs = projections.reduce((sum, name) => sum + dense[name](tokens), attentionUs + experts(tokens));
    const outsideUs = dense.embedding(tokens) + dense.final_layernorm(tokens);
    const headUs = perSequence.lm_head(running) + perSequence.sampler(running);
    return {
      running,
      kvTokens: decoding * kvEach + before,
      prefillTokens,
      context: chunkContext(before, prefillTokens),
      time: (48 * layerUs + outsideUs + headUs) * 1e-6,
    };
  });
}

test.skipIf(!recordedDataPresent)(`steps from a measured profile are told to 16 % ${needsRecordedData}`, () => {
  const rows = profiled();
  const { stepTime, error, heldOutError } = fitStepTime(rows);
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  console.log(`${rows.length} steps: ${percent(error)} fitted, ${percent(heldOutError)} held out`, stepTime);
  expect(rows.length).toBe(19_364);
  expect(error).toBeLessThan(0.16);
  expect(Math.abs(heldOutError - error)).toBeLessThan(0.01);
  expect(Math.min(...Object.values(stepTime))).toBeGreaterThan(0);
  // 2 bytes of keys and values for 4 heads of 128 in 48 layers: 98 kB a token, so 1.8 TB/s read a token in 55 ns at best.
  expect(stepTime.perKvToken).toBeGreaterThan(55e-9);
});
