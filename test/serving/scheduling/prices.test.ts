import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";
import { StartCosts } from "../../../src/serving/bound/start_costs.ts";
import { type PricesOptions, prices } from "../../../src/serving/scheduling/prices.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { ask, inRounds, request, traceOf, worker } from "./hand.ts";

const priced = (kv: readonly number[], more: Partial<PricesOptions> = {}) =>
  prices({ prices: { kv: Float64Array.from(kv) }, ...more });

/** c(k), a round at a time. */
function costOf(s: number, o: number, k: number, kv: ArrayLike<number>, slot?: ArrayLike<number>): number {
  let cost = k;
  for (let t = k + 1; t <= k + o && t < kv.length; t++) cost += (s + t - k) * kv[t] + (slot?.[t] ?? 0);
  return cost;
}

describe("the cost of a start", () => {
  test("and the starts that are cheap are those of their definitions", () => {
    const random = seeded(4);
    for (let round = 0; round < 1000; round++) {
      const horizon = random.below(30);
      const of = () => Float64Array.from({ length: horizon + 1 }, () => Math.max(0, random.next() - 0.4));
      const kv = of();
      const slot = random.next() < 0.5 ? of() : undefined;
      const costs = new StartCosts({ kv, slot });
      const s = 1 + random.below(9);
      const o = 1 + random.below(9);
      const from = random.below(horizon + 5);
      const tolerance = random.pick([0, 0.5, 3]);
      const cost = (k: number) => costOf(s, o, k, kv, slot);
      const starts = Array.from({ length: 2 * horizon + 200 }, (_, j) => from + j);
      for (const k of starts.slice(0, 50)) expect(costs.cost(s, o, k)).toBeCloseTo(cost(k), 9);
      const least = Math.min(...starts.map(cost));
      expect(cost(costs.cheapest(s, o, from))).toBeCloseTo(least, 9);
      const good = starts.find((k, j) => cost(k) <= Math.min(...starts.slice(j + 1).map(cost)) + tolerance + 1e-9);
      expect(costs.firstGood(s, o, from, tolerance)).toBe(good);
    }
  });
});

/** The rule as it is told, for one worker and perfect predictions: who begins when. */
function plainStarts({ requests, arrival, input, output }: Trace, kvTokens: number, kv: number[], tolerance: number) {
  const start = new Array<number>(requests).fill(-1);
  const all = Array.from(start.keys());
  const volume = (i: number) => input[i] * output[i] + (output[i] * (output[i] + 1)) / 2;
  const held = (i: number, t: number) =>
    start[i] >= 0 && t > start[i] && t <= start[i] + output[i] ? input[i] + t - start[i] : 0;
  const isGood = (i: number, k: number) => {
    const cost = costOf(input[i], output[i], k, kv);
    for (let later = k + 1; later < kv.length + k + 1; later++)
      if (costOf(input[i], output[i], later, kv) + tolerance + 1e-9 < cost) return false;
    return true;
  };
  let idle = 0;
  for (let now = 0; start.includes(-1); now++) {
    const waiting = all.filter((i) => start[i] < 0 && arrival[i] <= now);
    const line = waiting.filter((i) => isGood(i, now)).sort((i, j) => volume(i) - volume(j) || i - j);
    const runs = all.some((i) => start[i] >= 0 && start[i] + output[i] > now);
    if (!runs && line.length === 0 && waiting.length > 0) {
      idle++;
      const when = (i: number) => {
        let k = now;
        while (!isGood(i, k)) k++;
        return k;
      };
      start[waiting.reduce((a, b) => (when(b) < when(a) ? b : a))] = now;
    }
    for (const i of line) {
      start[i] = now;
      const rounds = Array.from({ length: output[i] }, (_, j) => now + j + 1);
      if (rounds.every((t) => all.reduce((sum, j) => sum + held(j, t), 0) <= kvTokens)) continue;
      start[i] = -1;
      break;
    }
  }
  return { start, idle };
}

describe("the price policy", () => {
  test("begins when a start is cheap, in order of volume, as a plain reading of the rule does", async () => {
    let idle = 0;
    let waited = 0;
    for (let seed = 0; seed < 150; seed++) {
      const random = seeded(seed);
      const n = 2 + random.below(12);
      const rows = Array.from(
        { length: n },
        () => [1 + random.below(5), 1 + random.below(6), random.below(2 * n)] as const,
      );
      const trace = traceOf(rows.sort((a, b) => a[2] - b[2]));
      const kv = Array.from({ length: 10 + random.below(30) }, () => Math.max(0, random.next() - 0.5));
      const tolerance = random.pick([0, 0.5, 2]);
      const plain = plainStarts(trace, 20, kv, tolerance);
      const { start, summary } = await inRounds(trace, 20, priced(kv, { tolerance }));
      expect([...start], `seed ${seed}`).toEqual(plain.start);
      expect(summary.evictions).toBe(0);
      idle += plain.idle;
      if (plain.start.some((k, i) => k > trace.arrival[i])) waited++;
    }
    // The cases that the rule is for, and the one in which time would stand still.
    expect(waited).toBeGreaterThan(80);
    expect(idle).toBeGreaterThan(30);
  });

  test("by hand: it waits while memory is dear, unless nobody runs", async () => {
    const trace = traceOf([
      [2, 6, 0],
      [2, 1, 1],
    ]);
    // Three tokens cost 3 in round 2 or 3, and nothing in round 4: a start at 3 costs 3, at 1 it costs 4, with tolerance 1 as good.
    const kv = [0, 0, 1, 1, 0, 0, 0];
    expect([...(await inRounds(trace, 100, priced(kv))).start]).toEqual([0, 3]);
    expect([...(await inRounds(trace, 100, priced(kv, { tolerance: 1 }))).start]).toEqual([0, 1]);
    // Alone: nobody uses the memory.
    expect([...(await inRounds(traceOf([[2, 1, 1]]), 100, priced(kv))).start]).toEqual([1]);
    // Where slots are dear.
    const slot = prices({ prices: { kv: new Float64Array(7), slot: Float64Array.from([0, 0, 5, 5, 0, 0, 0]) } });
    expect([...(await inRounds(trace, 100, slot)).start]).toEqual([0, 3]);
  });

  test("serves everybody behind eviction, wrong predictions and a worker that tells little", async () => {
    const random = seeded(8);
    const rows = Array.from({ length: 200 }, (_, i) => [1 + random.below(9), 1 + random.below(30), i >> 2] as const);
    const kv = Array.from({ length: 400 }, () => random.next() / 20);
    const { finish } = await inRounds(traceOf(rows), 60, priced(kv), { prediction: { factor: 3 } });
    expect(finish.every((time) => time > 0)).toBe(true);
    const scheduler = priced([0, 9, 9, 9]).create({ slots: 100, kvTokens: 100, seed: 0 });
    scheduler.arrived(request(4, 5, { predicted: 2 }));
    scheduler.arrived(request(5, 5, { predicted: 1 }));
    expect(ask(scheduler, "admit", worker(100, [request(1, 3, { generated: 1, predicted: 9 })]))).toEqual([]);
    expect(ask(scheduler, "admit", worker(100))).toEqual([4]);
    scheduler.finished!(4);
    scheduler.finished!(5);
    expect(ask(scheduler, "admit", worker(100))).toEqual([]);
  });

  test("refuses what are no prices, and requests without a prediction", async () => {
    const refuse = (options: unknown, message: RegExp) => {
      expect(() => prices(options as PricesOptions)).toThrow(ArgumentError);
      expect(() => prices(options as PricesOptions)).toThrow(message);
    };
    refuse({}, /^prices: expected an object, got undefined/);
    refuse({ prices: {} }, /^prices.kv: expected an array/);
    refuse({ prices: { kv: [0, 1], slots: [0, 1] } }, /Did you mean slot/);
    refuse({ prices: { kv: [0, Infinity] } }, /^prices.kv\[1\]: expected a number >= 0, got Infinity/);
    refuse({ prices: { kv: [0, 1] }, tolerance: -1 }, /^tolerance: expected rounds/);
    refuse({ prices: { kv: [0, 1] }, workers: 2 }, /^options: expected only prices, tolerance/);
    await expect(inRounds(traceOf([[1, 1]]), 9, priced([0]), { prediction: "none" })).rejects.toThrow(
      "prices go by it",
    );
  });
});
