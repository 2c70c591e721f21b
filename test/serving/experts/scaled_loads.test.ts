import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { ScaledLoads } from "../../../src/serving/experts/scaled_loads.ts";

const sumOf = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);

function scaled(recorded: readonly number[], total: number): number[] {
  const scale = new ScaledLoads(recorded.length);
  scale.scale(Float64Array.from(recorded), sumOf(recorded), total);
  return [...scale.loads];
}

/** Hamilton's rule in whole numbers without end: floors first, then one each by remainder, of equal ones by index. */
function hamilton(recorded: readonly number[], total: number): number[] {
  const sum = BigInt(sumOf(recorded));
  const products = recorded.map((load) => BigInt(load) * BigInt(total));
  const parts = products.map((product) => Number(product / sum));
  const order = [...parts.keys()].sort((i, j) => Number((products[j] % sum) - (products[i] % sum)) || i - j);
  for (const e of order.slice(0, total - sumOf(parts))) parts[e]++;
  return parts;
}

test("by hand: the largest remainders, of equal ones the first", () => {
  expect(scaled([6, 5, 2, 3], 16)).toEqual([6, 5, 2, 3]);
  expect(scaled([12, 10, 4, 6], 16)).toEqual([6, 5, 2, 3]);
  expect(scaled([1, 1, 1, 1], 6)).toEqual([2, 2, 1, 1]);
  expect(scaled([5, 3, 2], 3)).toEqual([1, 1, 1]); // 1.5, 0.9, 0.6
  expect(scaled([0, 7, 0], 5)).toEqual([0, 5, 0]);
});

test("whole loads as by hand, of any size and number", () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = seeded(seed);
    const recorded = Array.from({ length: 1 + random.below(40) }, () => random.below(1 + random.below(3000)));
    recorded[random.below(recorded.length)]++;
    const total = 1 + random.below(10 ** (1 + random.below(6)));
    expect(scaled(recorded, total), `seed ${seed}`).toEqual(hamilton(recorded, total));
  }
});

test.each([1e-9, 1, 1e6, 1e25])("sums are exact for fractions, too, of about %d", (size) => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    const recorded = Array.from({ length: 1 + random.below(300) }, () => size * random.next() ** 4);
    const total = 1 + random.below(2 ** 31 - 1);
    const loads = scaled(recorded, total);
    expect(sumOf(loads), `seed ${seed}`).toBe(total);
    const sum = sumOf(recorded);
    // Products and quotients are rounded to 2^-53 of themselves.
    const off = loads.map((load, e) => Math.abs(load - (recorded[e] / sum) * total) - total * 2 ** -50);
    expect(Math.max(...off), `seed ${seed}`).toBeLessThanOrEqual(1);
  }
});
