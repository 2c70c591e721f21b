/** Policies that take the worker with the least score, against the score worked out anew for each request from the views and all that was sent. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { Queue, RoutingPolicy, WorkerView } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { assigned, bare, loadOf, randomWorkers, request, worker, workers } from "./views.ts";

/** The score of a worker that has been sent `sent` prompts in this call. */
type Score = (w: WorkerView, sent: readonly number[], input: number) => number;

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const running = (w: WorkerView) => w.batch ?? [...w.running].length;

const scores: [keyof typeof routing, Score][] = [
  ["leastRequests", (w, sent) => running(w) + w.waiting + sent.length],
  ["leastKv", (w, sent) => (w.load ?? loadOf(w.running)) + sum(sent)],
  ["waitingRunning", (w, sent) => 4 * (w.waiting + sent.length) + running(w)],
  ["lmetric", (w, sent, input) => ((w.prefill ?? 0) + sum(sent) + input) * (running(w) + w.waiting + sent.length + 1)],
];

/** Ids are 0, 1, ... */
function byHand(
  score: Score,
  views: readonly WorkerView[],
  inputs: readonly number[],
  queue: Queue,
): [number, number][] {
  const sent = views.map((): number[] => []);
  const pairs: [number, number][] = [];
  for (const [id, input] of inputs.entries()) {
    const holding = views.filter((w) => w.kvTokens === undefined || w.kvTokens >= input + 1);
    const able = (holding.length > 0 ? holding : views).filter(
      (w) => queue === "worker" || w.freeSlots - w.waiting - sent[w.index].length > 0,
    );
    if (able.length === 0) return pairs;
    const ranked = able.toSorted(
      (a, b) => score(a, sent[a.index], input) - score(b, sent[b.index], input) || a.index - b.index,
    );
    sent[ranked[0].index].push(input);
    pairs.push([id, ranked[0].index]);
  }
  return pairs;
}

const make = (name: keyof typeof routing): RoutingPolicy => routing[name]();

describe.each(scores)("%s", (name, score) => {
  test.each(["worker", "router"] as const)(
    "takes the least of all, many requests to a call: queues at the %s",
    (queue) => {
      const random = seeded(5);
      let waited = 0;
      for (let trial = 0; trial < 300; trial++) {
        const full = randomWorkers(random, 1 + random.below(9));
        const sized = full.map((w) => (random.next() < 0.3 ? { ...w, kvTokens: 1 + random.below(14) } : w));
        const views = trial % 3 === 0 ? full.map(bare) : trial % 3 === 1 ? full : sized;
        const inputs = Array.from({ length: random.below(20) }, () => 1 + random.below(12));
        const router = make(name).create({ workers: views.length, seed: 1, queue });
        for (const [id, input] of inputs.entries()) router.arrived(request(id, input));
        const expected = byHand(score, views, inputs, queue);
        expect(assigned(router, views), `trial ${trial}`).toEqual(expected);
        waited += inputs.length - expected.length;
      }
      if (queue === "worker") expect(waited).toBe(0);
      else expect(waited).toBeGreaterThan(500);
    },
  );

  test("of equals the one with the lowest index, then each in its turn", () => {
    const router = make(name).create({ workers: 3, seed: 9 });
    for (let id = 0; id < 6; id++) router.arrived(request(id, 10));
    const views = [worker(0), worker(1), worker(2)];
    expect(assigned(router, views).map(([, g]) => g)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("goes by what it is shown, stale or not: another call begins anew", () => {
    const router = make(name).create({ workers: 2, seed: 9 });
    const views = workers([{ batch: 1, load: 5, prefill: 3 }, {}]);
    for (let id = 0; id < 3; id++) {
      router.arrived(request(id, 1));
      expect(assigned(router, views)).toEqual([[id, 1]]);
    }
  });
});

test("what a signal that is absent stands for", () => {
  const running = [request(50, 100, { generated: 20 }), request(51, 1)];
  const first = (name: keyof typeof routing, views: WorkerView[]) => {
    const router = make(name).create({ workers: views.length, seed: 0 });
    router.arrived(request(0, 1));
    return assigned(router, views)[0][1];
  };
  expect(first("leastKv", workers([{ running }, { load: 120 }]))).toBe(1);
  expect(first("leastKv", workers([{ running }, { load: 121 }]))).toBe(0);
  expect(first("leastRequests", workers([{ running }, { batch: 1 }]))).toBe(1);
  expect(first("leastRequests", workers([{ running }, { batch: 2 }]))).toBe(0);
  expect(first("leastRequests", workers([{ running, batch: 7 }, { batch: 5 }]))).toBe(1);
  expect(first("waitingRunning", workers([{ running, waiting: 1 }, { batch: 5 }]))).toBe(1);
  expect(first("waitingRunning", workers([{ running, waiting: 1 }, { batch: 6 }]))).toBe(0);
  expect(first("lmetric", workers([{ running }, { prefill: 2 }]))).toBe(0);
  expect(first("lmetric", workers([{ running }, { prefill: 1 }]))).toBe(1);
});
