import { expect, test } from "vitest";
import type { Queue, RequestView } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { assigned, request, worker, workers } from "./views.ts";

const create = (count: number, seed = 1, queue: Queue = "worker") =>
  routing.consistentHash().create({ workers: count, seed, queue });
const idle = (count: number) => Array.from({ length: count }, (_, g) => worker(g));

/** Where each of so many keys goes, of sessions or of ids. */
function places(count: number, keys: number, more: (id: number) => Partial<RequestView>, seed = 1): number[] {
  const router = create(count, seed);
  for (let id = 0; id < keys; id++) router.arrived(request(id, 1, more(id)));
  return assigned(router, idle(count)).map(([, g]) => g);
}
const sessions = (id: number) => ({ session: id });

test("a session stays, whatever its requests and the seed; without a session the id is taken for one", () => {
  const router = create(8);
  for (let id = 0; id < 400; id++) router.arrived(request(id, 1 + id, { session: id % 40 }));
  const all = assigned(router, idle(8)).map(([, g]) => g);
  for (let id = 0; id < 400; id++) expect(all[id]).toBe(all[id % 40]);
  expect(new Set(all).size).toBe(8);
  expect(places(8, 400, sessions, 2)).toEqual(places(8, 400, sessions, 7));
  expect(places(8, 400, () => ({}))).toEqual(places(8, 400, () => ({ session: -1 })));
});

test("sessions and ids of the same numbers go separate ways", () => {
  const ids = places(8, 8000, () => ({}));
  const same = places(8, 8000, sessions).filter((g, i) => g === ids[i]).length;
  expect(Math.abs(same - 1000)).toBeLessThan(300); // 1 of 8 at random; shares of the ring differ by some 10 %
});

test.each([2, 3, 8, 64])("each of %i workers gets about its share", (count) => {
  const keys = 20_000;
  const shares = new Array<number>(count).fill(0);
  for (const g of places(count, keys, sessions)) shares[g] += count / keys;
  // A share is a mean of 160 gaps, each exponential: deviation 1 / sqrt(160) = 8 %; and of keys / G sessions. Five deviations of both.
  const bound = 5 * Math.sqrt(1 / 160 + count / keys);
  for (const share of shares) expect(Math.abs(share - 1)).toBeLessThan(bound);
});

test.each([1, 4, 16])("a worker that is added to %i takes its share, and nothing else moves", (count) => {
  const keys = 20_000;
  const before = places(count, keys, sessions);
  const after = places(count + 1, keys, sessions);
  const moved = after.filter((g, i) => g !== before[i]);
  expect(new Set(moved)).toEqual(new Set([count]));
  const share = 1 / (count + 1);
  expect(Math.abs(moved.length / keys / share - 1)).toBeLessThan(5 * Math.sqrt(1 / 160 + 1 / (keys * share)));
});

test("numbers beyond 32 bits are told apart", () => {
  const far = places(16, 500, (id) => ({ session: id * 2 ** 32 }));
  expect(new Set(far).size).toBe(16);
});

test("the first waits for its own worker at the router, and all behind it", () => {
  const [own, other] = [0, 1].map((g) => places(2, 50, sessions).indexOf(g));
  const router = create(2, 1, "router");
  router.arrived(request(0, 1, { session: own }));
  router.arrived(request(1, 1, { session: own }));
  router.arrived(request(2, 1, { session: other }));
  expect(assigned(router, workers([{ freeSlots: 1 }, {}]))).toEqual([[0, 0]]);
  expect(assigned(router, workers([{ freeSlots: 2, waiting: 2 }, {}]))).toEqual([]);
  expect(assigned(router, workers([{ freeSlots: 2, waiting: 1 }, {}]))).toEqual([
    [1, 0],
    [2, 1],
  ]);
});

test("where the own worker's memory is too small the next on the ring is taken, the same each time; where none is larger the own", () => {
  const at = (kvTokens: number[]) => {
    const router = create(4);
    for (let id = 0; id < 200; id++) router.arrived(request(id, 10, { session: id }));
    return assigned(router, workers(kvTokens.map((tokens) => ({ kvTokens: tokens })))).map(([, g]) => g);
  };
  const own = at([11, 11, 11, 11]);
  const without = at([11, 10, 11, 11]);
  const orphans = [...own.keys()].filter((i) => own[i] === 1);
  expect(without.filter((_, i) => own[i] !== 1)).toEqual(own.filter((g) => g !== 1));
  expect(new Set(orphans.map((i) => without[i]))).toEqual(new Set([0, 2, 3]));
  expect(at([11, 10, 11, 11])).toEqual(without);
  expect(at([10, 10, 3, 10])).toEqual(own);
});
