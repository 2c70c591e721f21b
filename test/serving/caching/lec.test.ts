import { describe, expect, test } from "vitest";
import { askedPrompts, CAPACITY, overLfu } from "../../../bench/prompts.ts";
import { seeded } from "../../../src/common/random.ts";
import type { CachePolicy } from "../../../src/serving/caching/cache_policy.ts";
import type { CacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import { Popularity } from "../../../src/serving/caching/lec_popularity.ts";
import { SeenKeys } from "../../../src/serving/caching/lec_seen.ts";
import { simulateCache } from "../../../src/serving/caching/simulate_cache.ts";

/** LFU's cost without a choice over LEC's: another program's figures, of 12 seeds. */
const known: [power: number, form: string, ratio: number][] = [
  [0.2, "means", 6.1],
  [0.2, "means, selection", 38.7],
  [0.2, "bounds", 4.9],
  [0.2, "bounds, selection", 13.5],
  [0.9, "means", 6.0],
  [0.9, "means, selection", 29.2],
  [0.9, "bounds", 4.0],
  [0.9, "bounds, selection", 8.3],
];

describe("the authors' experiment", () => {
  const ratios = new Map<string, number>();
  test("is run", () => {
    for (const power of [0.2, 0.9]) {
      for (const { form, ratio } of overLfu({ requests: 10_000, power, costs: "fixed" }, 40))
        ratios.set(`${power} ${form}`, ratio);
    }
    expect(ratios.size).toBe(8);
  });

  test.each(known)("power %d, LEC by %s: LFU costs %d times as much, within 20 %", (power, form, ratio) => {
    const ours = ratios.get(`${power} ${form}`)!;
    expect(Math.abs(ours / ratio - 1)).toBeLessThan(0.2);
  });
});

test("where costs vary, regret grows like sqrt(T) by confidence bounds, and almost like T by means", () => {
  const lengths = [2000, 50_000];
  const [short, long] = lengths.map((requests) => overLfu({ requests, power: 0.2, costs: "varying" }, 12));
  const exponents = short.map(({ form, regret }, i) => {
    const grown = long[i].regret / regret;
    return [form, Math.log(grown) / Math.log(lengths[1] / lengths[0])] as const;
  });
  for (const [form, exponent] of exponents) {
    expect(exponent, form).toBeGreaterThan(form.startsWith("means") ? 0.7 : 0.25);
    expect(exponent, form).toBeLessThan(form.startsWith("means") ? 1.1 : 0.6);
  }
});

test("the score by hand: bounds of costs, the cheaper model, N of hits and misses", () => {
  const confidence = { requests: 100, keys: 2, delta: 0.5 };
  const bound = (n: number) => 10 * Math.sqrt(Math.log((6 * 100 * 2) / 0.5) / 2 / n);
  const policy = caching.lec({ costs: [1, 11], confidence, selection: true });
  const lec = policy.create({ capacity: 1, seed: 0 });
  expect(policy.name).toBe("lec-confidence-selection");
  expect(lec.choose!("a")).toBe("small"); // nothing is known: both cost 1
  expect(lec.admit("a", 1, 11, 0, undefined, "small")).toBe(true);
  expect(11 - bound(1)).toBeLessThan(1); // so both cost 1 still
  expect(lec.choose!("a")).toBe("small");
  for (let i = 0; i < 12; i++) {
    expect(lec.admit("b", 1, 11, i, undefined, "small"), `${i}`).toBe(i > 0);
    if (i > 0) lec.removed(i === 1 ? "a" : "b");
    if (i === 1) lec.removed("b");
  }
  // b had been asked for once as a; the second time it was worth more, and took its place.
  expect(11 - bound(12)).toBeGreaterThan(5);
  expect(lec.choose!("b")).toBe("large");
});

test("a newcomer takes the place of several only if each is worth less", () => {
  const lec = caching.lec().create({ capacity: 4, seed: 0 });
  for (const [key, cost] of [
    ["a", 1],
    ["b", 2],
    ["c", 9],
    ["d", 3],
  ] as const)
    lec.admit(key, 1, cost, 0);
  expect(lec.admit("e", 3, 8, 0)).toBe(false); // 8 / 3 is more than 1 and 2, and less than 3
  expect(lec.victim()).toBe("a");
  expect(lec.admit("e", 3, 11, 0)).toBe(true); // 2 x 9.5 / 3
  const gone = [];
  for (let i = 0; i < 3; i++) {
    gone.push(lec.victim());
    lec.removed(lec.victim()!);
  }
  expect(gone).toEqual(["a", "b", "d"]);
});

test("keys that are long past are forgotten, and those that are cached are not", () => {
  const seen = new SeenKeys(100);
  for (let q = 0; q < 10; q++) {
    const i = seen.add(q);
    seen.ask(i);
    seen.keep(i, q < 5);
  }
  for (let q = 10; q < 1000; q++) {
    seen.ask(seen.add(q));
    seen.ask(seen.of(7)); // not cached, but asked for all the time
  }
  for (const q of [0, 1, 2, 3, 4, 7, 999]) expect(seen.of(q), `${q}`).toBeGreaterThanOrEqual(0);
  const known = Array.from({ length: 1000 }, (_, q) => seen.of(q)).filter((i) => i >= 0);
  expect(known.length).toBeLessThan(250);
  expect(new Set(known).size).toBe(known.length);
});

test("regret is against the best contents that never change", () => {
  const { trace } = askedPrompts({ requests: 2000, seed: 3, power: 0.9, costs: "fixed" });
  const { smallCost, ...alone } = trace;
  const totals = new Array<number>(20).fill(0);
  trace.key.forEach((q, i) => {
    totals[q] += Math.min(trace.cost[i], smallCost![i]);
  });
  const fixed = totals
    .sort((a, b) => a - b)
    .slice(0, 20 - CAPACITY)
    .reduce((a, b) => a + b);
  const policy = caching.lec({ costs: [1, 101], selection: true });
  const { cost, regret, smallShare } = simulateCache(trace, { capacity: CAPACITY, policy });
  expect(cost - regret).toBeCloseTo(fixed, 9);
  expect(smallShare).toBeGreaterThan(0.2);
  expect(simulateCache(alone, { capacity: CAPACITY, policy })).not.toHaveProperty("smallShare");
});

describe("errors", () => {
  test.each([
    [
      { costs: [1], confidence: { requests: 1, keys: 1 } },
      "options.costs[1]: expected finite and >= costs[0], got undefined.",
    ],
    [{ costs: [2, 1] }, "options.costs[1]: expected finite and >= costs[0], got 1."],
    [{ costs: [-1] }, "options.costs[0]: expected finite and >= 0, got -1."],
    [{ costs: 3 }, "options.costs: expected [least, most], got 3."],
    [
      { costs: [1, 2], confidence: { requests: 0, keys: 1 } },
      "options.confidence.requests: expected an integer from 1 to 2^53 - 1, got 0.",
    ],
    [
      { costs: [1, 2], confidence: { requests: 1, keys: 1, delta: 1 } },
      "options.confidence.delta: expected a number above 0 and below 1, got 1.",
    ],
    [{ selection: "yes" }, 'options.selection: expected true or false, got "yes".'],
    [{ cost: [1, 2] }, 'options: expected only costs, confidence, selection, got "cost".'],
  ])("%j", (options, message) => expect(() => caching.lec(options as never)).toThrow(message));
  test("the others have no options", () =>
    expect(() => caching.lru({ size: 1 } as never)).toThrow("options: expected no fields"));
});

describe("where what is popular changes", () => {
  /** 30 keys of 3,000 at a time, of which each has a cost of its own. */
  const changing = (requests: number): CacheTrace => {
    const random = seeded(4);
    const key = Int32Array.from(
      { length: requests },
      (_, i) => 30 * Math.floor(i / 500) + Math.floor(30 * random.next() ** 2),
    );
    return { key, size: new Float64Array(requests).fill(1), cost: Float64Array.from(key, (q) => 1 + ((q * 7) % 10)) };
  };
  const o = (policy: CachePolicy) => ({ capacity: 15, policy });

  test("requests long past count less", () => {
    const trace = changing(50_000);
    const { cost } = simulateCache(trace, o(caching.lec()));
    expect(cost).toBeLessThan(0.9 * simulateCache(trace, o(caching.lru())).cost);
    // By all requests alike what was popular first would stay for good.
    expect(cost).toBeLessThan(0.6 * trace.cost.reduce((a, b) => a + b));
  });

  test("ranks outlast the growth of the weights", () => {
    const popularity = new Popularity();
    for (const i of [0, 1]) popularity.clear(i);
    let scaled = 0;
    // 0 for a while, then 1: with one cached key a weight doubles in two requests, and 400 times until it is scaled.
    for (let t = 0; t < 4000; t++) {
      const i = t < 2000 ? 0 : 1;
      if (popularity.ask(i, 2, 1)) scaled++;
    }
    expect(scaled).toBeGreaterThan(2);
    expect(popularity.of(1)).toBeGreaterThan(1e100 * popularity.of(0));
    expect(Number.isFinite(popularity.of(1))).toBe(true);
  });
});
