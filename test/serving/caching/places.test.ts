import { expect, test } from "vitest";
import { ExactSum } from "../../../src/common/exact_sum.ts";
import { seeded } from "../../../src/common/random.ts";
import { IntegerTable } from "../../../src/serving/caching/integer_table.ts";
import { Places } from "../../../src/serving/caching/places.ts";

test.each([1, 2, 3, 4])("a table of integers is a Map, seed %i", (seed) => {
  const random = seeded(seed);
  const table = new IntegerTable();
  const map = new Map<number, number>();
  // Few values, so that they come and go, and multiples of a power of two, which fall together.
  const key = () => (random.below(2) ? random.below(600) : (random.below(600) - 300) << 22);
  for (let i = 0; i < 20_000; i++) {
    const one = key();
    if (map.has(one)) {
      expect(table.get(one)).toBe(map.get(one));
      if (random.below(3)) continue;
      table.delete(one);
      map.delete(one);
    } else {
      expect(table.get(one)).toBe(-1);
      table.add(one, i);
      map.set(one, i);
    }
  }
  for (const [one, place] of map) expect(table.get(one)).toBe(place);
  expect(map.size).toBeGreaterThan(200);
});

test("places are used again", () => {
  const places = new Places();
  expect(["a", 1, 1.5, 2 ** 31].map((key) => places.add(key))).toEqual([0, 1, 2, 3]);
  places.remove(1);
  expect(places.of(1)).toBe(-1);
  expect(places.add("b")).toBe(1);
  expect(places.keyAt(1)).toBe("b");
  expect(["a", 1.5, 2 ** 31, "b"].map((key) => places.of(key))).toEqual([0, 2, 3, 1]);
});

test("a sum of fractions is what it was when they have gone", () => {
  const random = seeded(1);
  const sum = new ExactSum();
  const terms = Array.from({ length: 10_000 }, () => random.next() * 10 ** random.below(12));
  let plain = 0;
  for (const one of terms) sum.add(one);
  for (const one of terms) plain += one;
  for (const one of random.shuffle([...terms])) {
    sum.add(-one);
    plain -= one;
  }
  expect(sum.value).toBe(0);
  expect(plain).not.toBe(0); // a plain sum does not do
});
