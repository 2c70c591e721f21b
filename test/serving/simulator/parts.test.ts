/** The simulator's parts, each against the plain way. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { lru } from "../../../src/serving/caching/lru.ts";
import { MinHeap } from "../../../src/serving/min_heap.ts";
import { GapHistogram } from "../../../src/serving/simulator/gap_histogram.ts";
import { Jump } from "../../../src/serving/simulator/jump.ts";
import { PrefixCache } from "../../../src/serving/simulator/prefix_cache.ts";
import { spreadOf } from "../../../src/serving/simulator/spread.ts";

test("a jump is its steps, one after the other", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(seed);
    const steps = 1 + random.below(200);
    const [start, first] = [1e4 * random.next(), 0.001 + random.next()];
    const growth = random.pick([0, 1e-9, 0.01, 1]) * random.next();
    const ends = [start];
    for (let j = 0; j < steps; j++) ends.push(ends[j] + first + j * growth);
    const jump = new Jump(start, first, growth, steps);
    const time = random.pick([ends[random.below(steps + 1)], start + (ends[steps] - start) * random.next()]);
    const tolerance = steps * 2 ** -52 * ends[steps];
    const done = jump.done(time);
    expect(ends[done], `seed ${seed}`).toBeLessThanOrEqual(time + tolerance);
    if (done < steps) expect(ends[done + 1], `seed ${seed}`).toBeGreaterThan(time - tolerance);
    expect(Math.abs(jump.end - ends[steps])).toBeLessThanOrEqual(tolerance);
    const [value, rise] = [1000 * random.next(), 10 * random.next()];
    let area = 0;
    for (let j = 0; j < done; j++) area += (ends[j + 1] - ends[j]) * (value + j * rise);
    area += (time - ends[done]) * (value + done * rise);
    expect(Math.abs(jump.area(time, value, rise) - area), `seed ${seed}`).toBeLessThan(1e-9 * (1 + area));
    jump.cutAfter(time);
    expect(jump.steps).toBeGreaterThanOrEqual(1);
    expect(jump.end).toBeGreaterThanOrEqual(Math.min(time, ends[steps]) - tolerance);
    if (jump.steps > 1) expect(ends[jump.steps - 1]).toBeLessThan(time + tolerance);
  }
});

test("a heap gives the least key, also after removals, and equal keys by number", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed);
    const heap = new MinHeap();
    let plain: { key: number; id: number }[] = [];
    for (let i = 0; i < 100; i++) {
      const act = random.next();
      if (act < 0.6) {
        const key = random.below(20);
        plain.push({ key, id: i });
        heap.push(key, i);
      } else if (act < 0.8) {
        const { id } = plain.length > 0 ? random.pick(plain) : { id: 1000 };
        heap.remove(id);
        plain = plain.filter((one) => one.id !== id);
      } else if (plain.length > 0) {
        plain.sort((a, b) => a.key - b.key || a.id - b.id);
        expect(heap.leastKey).toBe(plain[0].key);
        expect(heap.pop(), `seed ${seed}`).toBe(plain.shift()!.id);
      }
      expect(heap.size).toBe(plain.length);
    }
  }
  expect(new MinHeap().leastKey).toBe(Number.POSITIVE_INFINITY);
});

test("percentiles of gaps are within 1 %, their mean exact", () => {
  const random = seeded(4);
  const gaps: number[] = [];
  const histogram = new GapHistogram();
  for (let i = 0; i < 200; i++) {
    const jump = new Jump(0, 0.01 + random.next(), random.pick([0, 1e-5, 0.01]), 1 + random.below(100));
    for (let j = 0; j < jump.steps; j++) gaps.push(...new Array<number>(3).fill(jump.first + j * jump.growth));
    histogram.addSteps(jump, 3);
  }
  const exact = spreadOf(Float64Array.from(gaps));
  const spread = histogram.spread();
  expect(spread.mean / exact.mean).toBeCloseTo(1, 10);
  for (const name of ["p50", "p90", "p95", "p99"] as const) {
    expect(Math.abs(spread[name] / exact[name] - 1), name).toBeLessThan(0.011);
  }
});

test("quantiles as numpy has them, and the interval of independent values", () => {
  expect(spreadOf(Float64Array.of(4, 1, 3, 2))).toMatchObject({ mean: 2.5, p50: 2.5, p90: 3.7, halfWidth: Number.NaN });
  expect(spreadOf(new Float64Array(0)).mean).toBeNaN();
  let within = 0;
  for (let seed = 0; seed < 200; seed++) {
    const { normal } = seeded(seed);
    const { mean, halfWidth } = spreadOf(Float64Array.from({ length: 600 }, normal));
    expect(halfWidth).toBeGreaterThan(0.04); // 2.045 / sqrt(600) = 0.083
    if (Math.abs(mean) < halfWidth) within++;
  }
  expect(within / 200).toBeGreaterThan(0.9);
  expect(within / 200).toBeLessThan(0.99);
});

test("a prefix cache lets the least recently used leaf go, and nothing that is in use", () => {
  const cache = new PrefixCache({ policy: lru(), blockTokens: 10, kvTokens: 100, stepTime: undefined, seed: 0 });
  const [a, b] = [Int32Array.of(1, 2, 3), Int32Array.of(1, 4)];
  cache.use(a);
  expect(cache.held(b)).toBe(10);
  cache.use(b);
  cache.trim(0);
  expect([cache.held(a), cache.held(b)]).toEqual([30, 20]);
  cache.release(a, 30, 0);
  cache.release(b, 20, 0);
  cache.trim(39);
  expect([cache.held(a), cache.held(b)]).toEqual([20, 20]); // 3 is the leaf that was used longest ago
  cache.trim(20);
  expect([cache.held(a), cache.held(b)]).toEqual([10, 20]);
  cache.use(a); // 2 and 3 come again
  cache.release(a, 30, 0);
  cache.trim(30);
  expect([cache.held(a), cache.held(b)]).toEqual([30, 10]);
  cache.trim(-5);
  expect(cache.held(a)).toBe(0);
});
