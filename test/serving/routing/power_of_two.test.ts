import { expect, test } from "vitest";
import type { Queue } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { assigned, request, worker, workers } from "./views.ts";

const create = (count: number, seed = 1, queue: Queue = "worker") =>
  routing.powerOfTwo().create({ workers: count, seed, queue });

/** How often each worker was taken in so many calls with the same views. */
function taken(loads: readonly number[], calls: number): number[] {
  const router = create(loads.length, 3);
  const views = loads.map((load, g) => worker(g, { load }));
  const counts = loads.map(() => 0);
  for (let id = 0; id < calls; id++) {
    router.arrived(request(id));
    for (const [, g] of assigned(router, views, 1)) counts[g]++;
  }
  return counts;
}

/** Five standard deviations of a count with this mean: beyond them once in a million. */
const spread = (mean: number) => 5 * Math.sqrt(mean);

test("with different loads worker g is taken as often as it is the lower of two different ones", () => {
  const loads = [30, 0, 50, 10, 40, 20];
  const calls = 30_000;
  const pairs = 15;
  for (const [g, count] of taken(loads, calls).entries()) {
    const mean = (calls * loads.filter((load) => load > loads[g]).length) / pairs;
    expect(Math.abs(count - mean), `worker ${g}`).toBeLessThanOrEqual(spread(mean));
  }
});

test("with equal loads all are taken alike", () => {
  const calls = 10_000;
  for (const count of taken(new Array(5).fill(7), calls))
    expect(Math.abs(count - calls / 5)).toBeLessThan(spread(calls / 5));
});

test("what a call has assigned counts: two workers take turns, by their tokens", () => {
  const router = create(2);
  for (const [id, input] of [10, 4, 4, 4, 4].entries()) router.arrived(request(id, input));
  // 10 | 4 | 8 | 12 | then the one with 10
  const [first, ...rest] = assigned(router, [worker(0), worker(1)]).map(([, g]) => g);
  expect(rest).toEqual([1 - first, 1 - first, 1 - first, first]);
});

test("what went to a worker without a choice counts, too", () => {
  for (let seed = 0; seed < 20; seed++) {
    const router = create(2, seed);
    router.arrived(request(0, 11));
    router.arrived(request(1, 1));
    expect(assigned(router, workers([{ kvTokens: 11, load: 5 }, {}]))).toEqual([
      [0, 1],
      [1, 0],
    ]);
  }
});

test("two are drawn from those with room and memory; one alone is taken, none is waited for", () => {
  for (let seed = 0; seed < 20; seed++) {
    const router = create(4, seed, "router");
    for (let id = 0; id < 3; id++) router.arrived(request(id, 10));
    const views = workers([
      { freeSlots: 2, waiting: 2 },
      { kvTokens: 10 },
      { freeSlots: 1, kvTokens: 11, load: 99 },
      { freeSlots: 1 },
    ]);
    expect(assigned(router, views)).toEqual([
      [0, 3],
      [1, 2],
    ]);
    expect(assigned(router, views)[0]).toEqual([2, 3]);
  }
});

test("reads the loads of two workers only", () => {
  let reads = 0;
  const views = Array.from({ length: 64 }, (_, g) => ({
    ...worker(g),
    get load() {
      reads++;
      return g;
    },
  }));
  const router = create(64);
  router.arrived(request(0));
  assigned(router, views as never);
  expect(reads).toBe(2);
});
