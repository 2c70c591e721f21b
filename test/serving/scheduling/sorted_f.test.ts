/** Sorted-F's groups against all subsets. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { bestPrefix, bestSubset } from "../../../src/serving/scheduling/best_group.ts";
import type { Job } from "../../../src/serving/scheduling/job.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import { Waiting } from "../../../src/serving/scheduling/waiting.ts";
import { ask, request, worker } from "./hand.ts";

type Length = readonly [input: number, output: number];

const volumeOf = ([s, o]: Length) => s * o + (o * o + o) / 2;
const ratioOf = (set: readonly Length[]) => set.reduce((sum, [, o]) => sum + o, 0) / set.length ** 2;

function fitTogether(set: readonly Length[], kvTokens: number): boolean {
  for (let t = 1; t <= 40; t++) {
    if (set.reduce((sum, [s, o]) => sum + (o >= t ? s + t : 0), 0) > kvTokens) return false;
  }
  return true;
}

function waitingOf(lengths: readonly Length[]): Waiting {
  const waiting = new Waiting();
  for (const [turn, [input, estimate]] of lengths.entries()) {
    const key = volumeOf([input, estimate]);
    const job: Job = {
      id: turn,
      turn,
      input,
      generated: 0,
      estimate,
      key,
      waits: true,
      profiled: false,
      base: 0,
      end: 0,
    };
    waiting.push(job);
  }
  return waiting;
}

test("of few the best of all subsets, of many the best prefix in order of volume", () => {
  let better = 0;
  for (let seed = 0; seed < 150; seed++) {
    const random = seeded(seed);
    const count = 1 + random.below(8);
    const lengths = Array.from({ length: count }, () => [1 + random.below(30), 1 + random.below(30)] as const);
    const kvTokens = random.pick([70, 120]);
    const subsets = Array.from({ length: 2 ** count - 1 }, (_, m) => lengths.filter((_, i) => ((m + 1) >> i) & 1));
    const least = (sets: Length[][]) => Math.min(...sets.filter((set) => fitTogether(set, kvTokens)).map(ratioOf));
    const ordered = [...lengths].sort((a, b) => volumeOf(a) - volumeOf(b));
    for (const [best, expected] of [
      [bestSubset, least(subsets)],
      [bestPrefix, least(ordered.map((_, k) => ordered.slice(0, k + 1)))],
    ] as const) {
      const waiting = waitingOf(lengths);
      const { group, others } = best(waiting, kvTokens);
      const set = group.map(({ id }) => lengths[id]);
      expect(fitTogether(set, kvTokens), `seed ${seed}`).toBe(true);
      expect(ratioOf(set), `seed ${seed}`).toBe(expected);
      expect(group.length + others.length + waiting.size).toBe(count);
    }
    if (least(subsets) < least(ordered.map((_, k) => ordered.slice(0, k + 1)))) better++;
  }
  expect(better).toBeGreaterThan(10);
});

test("a group goes in order of outputs, and newcomers wait for the next", () => {
  const scheduler = scheduling.sortedF().create({ slots: 100, kvTokens: 100, seed: 0 });
  scheduler.arrived(request(0, 10, { predicted: 8 }));
  scheduler.arrived(request(1, 20, { predicted: 5 }));
  scheduler.arrived(request(2, 90, { predicted: 4 }));
  // F = 13 / 4 of both small ones; 17 / 9 of all, which do not fit.
  expect(ask(scheduler, "admit", worker(100, [], { freeSlots: 1 }))).toEqual([1]);
  scheduler.arrived(request(3, 1, { predicted: 1 }));
  const running = [request(1, 20, { generated: 1 })];
  expect(ask(scheduler, "admit", worker(100, running, { freeSlots: 1 }))).toEqual([0]);
  running.push(request(0, 10));
  scheduler.finished!(2); // in no group
  expect(ask(scheduler, "admit", worker(100, running))).toEqual([3]);
});

test("one of a group that is rejected is left out; one that never fits by its prediction is a group of its own", () => {
  const scheduler = scheduling.sortedF().create({ slots: 100, kvTokens: 100, seed: 0 });
  for (let id = 0; id < 3; id++) scheduler.arrived(request(id, 10, { predicted: 5 + id }));
  expect(ask(scheduler, "admit", worker(100, [], { freeSlots: 1 }))).toEqual([0]);
  scheduler.finished!(1);
  expect(ask(scheduler, "admit", worker(100, [request(0, 10)]))).toEqual([2]);
  for (const id of [0, 2]) scheduler.finished!(id);
  scheduler.arrived(request(4, 10, { predicted: 500 }));
  expect(ask(scheduler, "admit", worker(100))).toEqual([4]);
  for (let id = 10; id < 22; id++) scheduler.arrived(request(id, 10, { predicted: 500 + id }));
  expect(ask(scheduler, "admit", worker(100, [request(4, 10, { generated: 3 })]))).toEqual([]);
  scheduler.finished!(4);
  expect(ask(scheduler, "admit", worker(100))).toEqual([10]);
});
