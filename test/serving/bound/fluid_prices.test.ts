import { expect, test } from "vitest";
import { fluidPrices } from "../../../src/serving/bound/fluid_prices.ts";
import { timedRequests } from "../../../src/serving/bound/timed_requests.ts";
import { roundsTrace } from "./problems.ts";

const close = (found: Float64Array | undefined, expected: readonly number[]) => {
  expect(found!.length).toBe(expected.length);
  for (const [t, price] of expected.entries()) expect(found![t], `round ${t}`).toBeCloseTo(price, 12);
};

/** One that holds 2 and 3 tokens in its rounds, a volume of 5, and one of volume 2. */
const large = [0, 1, 2] as const;
const small = [0, 1, 1] as const;
const token = { memory: 1, slots: Number.POSITIVE_INFINITY };

test("two that come at once: the price falls by 1 / r per round, until the second is done", () => {
  const requests = timedRequests(roundsTrace([small, small]), 0, 2, 0);
  close(fluidPrices(requests, token, 6, 1).kv, [0, 3 / 2, 2 / 2, 1 / 2, 0, 0, 0]);
  // Twice the memory: in round 1 one of them is served as a whole, and the other in round 2.
  close(fluidPrices(requests, { ...token, memory: 2 }, 3, 1).kv, [0, 1 / 2, 0, 0]);
});

test("a smaller one that comes goes first, at prices at which the larger would rather wait", () => {
  const trace = roundsTrace([large, [1, 1, 1]]);
  const requests = timedRequests(trace, 0, 2, 0);
  // The large one in round 1, the small one in rounds 2 and 3, the large one in rounds 4 to 7.
  const { kv } = fluidPrices(requests, token, 8, 1);
  const ofLarge = (t: number) => (7 - t) / 5;
  close(kv, [0, ofLarge(1), ofLarge(3) + 1 / 2, ofLarge(3), ofLarge(4), ofLarge(5), ofLarge(6), 0, 0]);
  expect(kv[2]).toBeGreaterThan(ofLarge(2));
});

test("of slots a request takes its output; of half of each, both have the same price of all there is", () => {
  const requests = timedRequests(roundsTrace([large, large]), 0, 2, 0);
  const slots = fluidPrices(requests, { memory: 1e9, slots: 1 }, 5, 0);
  close(slots.slot, [0, 3 / 2, 2 / 2, 1 / 2, 0, 0]);
  expect(slots.kv.every((price) => price === 0)).toBe(true);
  const pool = { memory: 5, slots: 1 };
  const both = fluidPrices(requests, pool, 4, 0.5);
  // r is 5 / 5 / 2 + 2 / 2 = 3 / 2 of each.
  close(
    both.slot,
    [0, 2 / 1.5, 1 / 1.5, 0, 0].map((p) => p / 2 / pool.slots),
  );
  close(
    both.kv,
    [0, 2 / 1.5, 1 / 1.5, 0, 0].map((p) => p / 2 / pool.memory),
  );
});

test("one that is alone has a price until it is served, and what the horizon cuts off has none", () => {
  const requests = timedRequests(roundsTrace([large]), 0, 1, 0);
  close(fluidPrices(requests, token, 6, 1).kv, [0, 4 / 5, 3 / 5, 2 / 5, 1 / 5, 0, 0]);
  expect(fluidPrices(requests, token, 2, 1).kv.length).toBe(3);
});
