import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import type { BoundPrices } from "../../../src/serving/bound/bound_options.ts";
import type { TimedRequests } from "../../../src/serving/bound/timed_requests.ts";
import { compilePrice, packedRequests, packPrices, priceGrid } from "../../../src/serving/kernels/price.ts";
import * as twin from "../../../src/serving/twins/price.ts";
import { difference } from "../../helpers/arrays.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();
const kernel = await compilePrice(device);

async function price(requests: TimedRequests, prices: BoundPrices) {
  const horizon = prices.kv.length - 1;
  const packed = new Float32Array(2 * (horizon + 2));
  packPrices(prices, packed);
  const arrays = {
    requests: packedRequests(requests),
    prices: packed,
    start: unwritten(requests.requests),
    change: new Uint32Array(2 * (horizon + 2)),
    params: new Uint32Array([requests.requests, horizon, 0, 0]),
  };
  return runKernel(device, kernel, arrays, priceGrid(device, requests.requests));
}

function priceOnCpu(requests: TimedRequests, prices: BoundPrices) {
  const start = new Int32Array(requests.requests);
  const change = new Int32Array(2 * (prices.kv.length + 1));
  twin.price(requests, twin.priceSums(prices), start, change);
  return { start, change };
}

function drawn(seed: number, n: number, horizon: number, scale: number, slots: boolean) {
  const random = seeded(seed);
  const requests = {
    requests: n,
    arrival: Int32Array.from({ length: n }, () => random.below(horizon * 1.1)),
    input: Int32Array.from({ length: n }, () => 1 + random.below(3000)),
    output: Int32Array.from({ length: n }, () => 1 + random.below(random.next() < 0.1 ? 900 : 90)),
  };
  // High at first and low in the end, as where a queue is worked off; some rounds are free.
  const at = (t: number) => (random.next() < 0.1 ? 0 : scale * random.next() * (1 - t / (horizon + 1)));
  const kv = Float64Array.from({ length: horizon + 1 }, (_, t) => at(t));
  const slot = Float64Array.from({ length: horizon + 1 }, (_, t) => 500 * at(t));
  return { requests, prices: slots ? { kv, slot } : { kv } };
}

/** What a start at k costs, sum by sum. */
function costOf({ arrival, input, output }: TimedRequests, { kv, slot }: BoundPrices, i: number, k: number): number {
  let cost = k - arrival[i];
  for (let t = k + 1; t <= k + output[i] && t < kv.length; t++) cost += (input[i] + t - k) * kv[t] + (slot?.[t] ?? 0);
  return cost;
}

/** Second differences, modulo 2^32, of what is held at these starts. */
function changesOf({ input, output }: TimedRequests, start: ArrayLike<number>, horizon: number): Int32Array {
  const held = new Float64Array(horizon + 2);
  const running = new Float64Array(horizon + 2);
  for (let i = 0; i < start.length; i++) {
    for (let t = start[i] + 1; t <= Math.min(start[i] + output[i], horizon); t++) {
      held[t] += input[i] + t - start[i];
      running[t]++;
    }
  }
  const change = new Int32Array(2 * (horizon + 2));
  const level = (t: number) => held[t] - running[t] * t;
  for (let t = 1; t <= horizon + 1; t++) {
    change[2 * t] = level(t) - level(t - 1);
    change[2 * t + 1] = running[t] - running[t - 1];
  }
  return change;
}

test.each([
  [1, 1, 1, 0.1, false],
  [2, 33, 64, 0.01, false],
  [3, 500, 2000, 0.0005, false],
  [4, 500, 2000, 0.0005, true],
  [5, 300, 5000, 0.02, true], // searches of thousands of starts, over many anchors
  [6, 100, 700, 0, false],
])(
  "seed %i: %i requests, %i rounds: starts of least cost, and what they hold",
  async (seed, n, horizon, scale, slots) => {
    const { requests, prices } = drawn(seed, n, horizon, scale, slots);
    const cpu = priceOnCpu(requests, prices);
    const gpu = await price(requests, prices);
    for (let i = 0; i < n; i++) {
      let least = Number.POSITIVE_INFINITY;
      for (let k = requests.arrival[i]; k <= Math.max(requests.arrival[i], horizon); k++) {
        least = Math.min(least, costOf(requests, prices, i, k));
        if (k - requests.arrival[i] >= least) break;
      }
      expect(costOf(requests, prices, i, cpu.start[i])).toBeCloseTo(least, 7);
      const found = costOf(requests, prices, i, gpu.start[i]);
      expect(gpu.start[i]).toBeGreaterThanOrEqual(requests.arrival[i]);
      expect(found - least, `request ${i}`).toBeLessThanOrEqual(1e-4 * Math.max(1, least));
    }
    expect(cpu.change).toEqual(changesOf(requests, cpu.start, horizon));
    expect(new Int32Array(gpu.change.buffer)).toEqual(changesOf(requests, gpu.start, horizon));
  },
);

test("changes that add up beyond 2^32 on the way are right modulo 2^32", async () => {
  const n = 10_000;
  const horizon = 500_000;
  const requests = {
    requests: n,
    arrival: new Int32Array(n).fill(horizon - 10),
    input: new Int32Array(n).fill(7),
    output: new Int32Array(n).fill(4),
  };
  const { start, change } = await price(requests, { kv: new Float64Array(horizon + 1) });
  expect(start.every((k) => k === horizon - 10)).toBe(true);
  expect(n * horizon).toBeGreaterThan(2 ** 32);
  expect(change[2 * (horizon - 9)]).toBe((n * (7 - (horizon - 10)) + 2 ** 33) % 2 ** 32);
  expect(difference(new Int32Array(change.buffer), changesOf(requests, start, horizon))).toBeUndefined();
});

test("requests after the last price start at once, and hold nothing that has one", async () => {
  const requests = {
    requests: 2,
    arrival: Int32Array.of(3, 9),
    input: Int32Array.of(5, 5),
    output: Int32Array.of(2, 2),
  };
  const { start, change } = await price(requests, { kv: Float64Array.of(0, 1, 1, 1) });
  expect([...start]).toEqual([3, 9]);
  expect(change.every((x) => x === 0)).toBe(true);
});
