import { expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { type CurveCost, checkCost } from "../../../src/lp/time/expert_cost.ts";
import { type CostRow, fitExpertCost } from "../../../src/lp/time/fit_expert_cost.ts";
import { single, timeOn } from "../../helpers/curves.ts";

const ROUNDING = 1e-12;

/** s(n), n < length, from all splits into two. */
function largest(cost: CurveCost, length: number): number[] {
  const s = [0];
  for (let n = 1; n < length; n++) {
    s[n] = timeOn(cost, n);
    for (let part = 1; part <= n / 2; part++) s[n] = Math.min(s[n], s[part] + s[n - part]);
  }
  return s;
}

/** Curves that are jagged, level, or both, some of whose points are between whole tokens. */
function randomRows(random: Random): CostRow[] {
  let [x, time] = [random.pick([1, 1, 3]), 1 + 3 * random.next()];
  return Array.from({ length: 2 + random.below(7) }, () => {
    const row = single(x, time);
    x += random.pick([1, 1.5, 4, 7]) * 1.02;
    time += random.pick([0, 0.3, 1, 4]) * random.next();
    return row;
  });
}

test("the hull is subadditive, nowhere above the cost, and the largest up to its last point: brute force", () => {
  let [different, level] = [0, 0];
  for (let seed = 0; seed < 300; seed++) {
    const { cost, hull } = fitExpertCost(randomRows(seeded(seed)));
    const end = Math.ceil(cost.tokens[cost.tokens.length - 1]);
    const all = 5 * end;
    const s = largest(cost, all);
    const already = s.every((time, n) => time >= timeOn(cost, n) * (1 - ROUNDING));
    const verdicts = { cost: checkCost(cost).subadditive, hull: checkCost(hull).subadditive, same: hull === cost };
    expect(verdicts, `seed ${seed}`).toEqual({ cost: already, hull: true, same: already });
    if (already) continue;
    different++;
    const h = Array.from({ length: all }, (_, n) => timeOn(hull, n));
    const wrong = h.flatMap((time, n) => {
      const faults = [];
      if (time > s[n] * (1 + ROUNDING)) faults.push(`${n} tokens: above the largest`);
      if (n <= end && time < s[n] * (1 - ROUNDING)) faults.push(`${n} of ${end} tokens: below the largest`);
      if (time < h[n - 1]) faults.push(`${n} tokens: falls`);
      for (let part = 1; part <= n / 2; part++) {
        if (h[part] + h[n - part] < time * (1 - ROUNDING)) faults.push(`${part} of ${n} tokens: not subadditive`);
      }
      return faults;
    });
    expect(wrong, `seed ${seed}`).toEqual([]);
    // Beyond twice the last point a token costs what it least does anywhere.
    const slope = timeOn(cost, 2 * end + 1) - timeOn(cost, 2 * end);
    const pace = Math.min(slope, ...Array.from({ length: end }, (_, i) => timeOn(cost, i + 1) / (i + 1)));
    expect(h[all - 1] - h[2 * end], `seed ${seed}`).toBeCloseTo(pace * (all - 1 - 2 * end), 9);
    if (slope < Math.min(...s.slice(1, end + 1).map((time, i) => time / (i + 1)))) level++;
  }
  // Both kinds of end: a line from 0, and one that begins above it.
  expect({ different: different > 100, level: level > 20, line: different - level > 20 }).toEqual({
    different: true,
    level: true,
    line: true,
  });
});

test("a step up is taken in parts, and goes on for as long as two parts are cheapest", () => {
  const { cost, hull } = fitExpertCost([single(1, 1), single(2, 1), single(3, 5)]);
  expect([1, 2, 3, 4, 5, 6, 100].map((n) => timeOn(cost, n))).toEqual([1, 1, 5, 9, 13, 17, 393]);
  expect([1, 2, 3, 4, 5, 6, 100].map((n) => timeOn(hull, n))).toEqual([1, 1, 2, 2, 3, 3, 50]);
});

test("a hull of many tokens has few points", () => {
  const rows = [1, 100, 1000, 10_000, 100_000].map((x) => single(x, Math.max(6, 0.03 * x)));
  const { hull } = fitExpertCost([...rows, single(200_000, 6100)]);
  expect(hull.tokens.length).toBeLessThan(20);
  expect(timeOn(hull, 150_000)).toBeCloseTo(4500, 9);
  expect(timeOn(hull, 200_000)).toBeCloseTo(6000, 9);
});
