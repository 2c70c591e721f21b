/** TRAIL's preemption. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { SchedulingPolicy } from "../../../src/serving/policy.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import { ask, inRounds, request, traceOf, worker } from "./hand.ts";

/** One after the other, a long one and a short one that comes while it runs. */
const two = traceOf([
  [10, 20, 0],
  [10, 5, 3],
]);
const oneSlot = { workers: [{ slots: 1, kvTokens: 100 }] };

test("a short one takes the slot of a long one, which begins again or goes on", async () => {
  const finish = async (c: number, eviction: "restart" | "recompute") => {
    const simulated = await inRounds(two, 100, scheduling.trail({ c }), { ...oneSlot, eviction });
    return [...simulated.finish];
  };
  expect(await finish(0.8, "restart")).toEqual([28, 8]);
  expect(await finish(0.8, "recompute")).toEqual([25, 8]);
  expect(await finish(0.15, "restart")).toEqual([28, 8]); // 3 tokens are not more than 0.15 x 20
  expect(await finish(0.14, "restart")).toEqual([20, 25]);
  expect(await finish(0, "restart")).toEqual([20, 25]);
});

describe("who makes way", () => {
  const running = [
    request(0, 40, { predicted: 50, generated: 5 }), // 45 to go, frees 46
    request(1, 30, { predicted: 20, generated: 5 }), // 15, frees 36
    request(2, 20, { predicted: 30, generated: 5 }), // 25, frees 26
  ];
  const scheduler = (c = 0.8) => {
    const made = scheduling.trail({ c }).create({ slots: 4, kvTokens: 110, seed: 0 });
    for (const r of running) made.arrived({ ...r, generated: 0 });
    ask(made, "admit", worker(1000));
    return made;
  };
  const view = (freeSlots: number) => worker(110, running, { freeSlots }); // 2 tokens are free

  test.each<[string, number, number, number, number[]]>([
    ["the one with the most to go", 10, 10, 1, [0]],
    ["as many as are needed", 60, 10, 1, [0, 2]],
    ["none where they do not make room enough", 80, 20, 1, []],
    ["none with as much or less to go", 10, 45, 1, []],
    ["for a slot alone", 1, 10, 0, [0]],
    ["nobody where it fits", 1, 10, 1, []],
  ])("%s", (_, input, predicted, freeSlots, ids) => {
    const made = scheduler();
    made.arrived(request(9, input, { predicted }));
    expect(ask(made, "preempt", view(freeSlots))).toEqual(ids);
  });

  test("several for several, in their order", () => {
    const made = scheduler();
    made.arrived(request(9, 30, { predicted: 12 }));
    made.arrived(request(8, 40, { predicted: 20 }));
    made.arrived(request(7, 1, { predicted: 2 }));
    // 7 takes the 2 tokens that are free; 9 needs 31 of the 46 of 0; 8 needs 41 of 15 + 26.
    expect(ask(made, "preempt", view(3))).toEqual([0, 2]);
    expect(ask(made, "preempt", view(1))).toEqual([0, 2]);
    expect(ask(made, "admit", worker(110, [running[1]]))).toEqual([7, 9, 8]);
  });

  test("none that has made more than c times its first prediction", () => {
    const made = scheduler(0.15); // 5 > 3 and 4.5
    made.arrived(request(9, 10, { predicted: 10 }));
    expect(ask(made, "preempt", view(1))).toEqual([0]);
    const other = scheduler(0.09);
    other.arrived(request(9, 10, { predicted: 10 }));
    expect(ask(other, "preempt", view(1))).toEqual([]);
  });

  test("of an interval the mean of what is still possible", () => {
    const one = request(0, 10, { predicted: [1, 10], generated: 5 }); // 6 to 10 in all: 3 to go
    for (const [predicted, ids] of [
      [2, [0]],
      [3, []],
      [[1, 4], [0]], // 2.5
    ] as const) {
      const made = scheduling.trail({ c: 2 }).create({ slots: 1, kvTokens: 100, seed: 0 });
      made.arrived({ ...one, generated: 0 });
      ask(made, "admit", worker(100));
      made.arrived(request(1, 10, { predicted }));
      expect(ask(made, "preempt", worker(100, [one], { freeSlots: 0 }))).toEqual(ids);
    }
  });
});

/** The shortest predicted rest first, never preempted for another; where the memory runs out the most to go is evicted, of equals the one that began last. */
const shortestFirst: SchedulingPolicy = {
  name: "shortest predicted first",
  create() {
    let turns = 0;
    const turn = new Map<number, number>();
    let waiting: { id: number; rest: number; first: number }[] = [];
    const wait = (id: number, input: number, generated: number, predicted: number) => {
      if (!turn.has(id)) turn.set(id, turns++);
      waiting.push({ id, rest: Math.max(1, predicted - generated), first: input + generated + 1 });
      waiting.sort((a, b) => a.rest - b.rest || turn.get(a.id)! - turn.get(b.id)!);
    };
    return {
      arrived: ({ id, input, generated, predicted }) => wait(id, input, generated, predicted as number),
      evicted: ({ id, input, generated, predicted }) => wait(id, input, generated, predicted as number),
      admit({ freeSlots, freeKv }, _now, out) {
        let free = freeKv;
        let count = 0;
        while (count < Math.min(freeSlots, waiting.length) && waiting[count].first <= free)
          free -= waiting[count++].first;
        for (const [k, { id }] of waiting.slice(0, count).entries()) out[k] = id;
        waiting = waiting.slice(count);
        return count;
      },
      evict({ running }, need, out) {
        const all = Array.from(running, ({ id, input, generated, predicted }, place) => ({
          ...{ id, place, frees: input + generated + 1, rest: Math.max(1, (predicted as number) - generated) },
        })).sort((a, b) => b.rest - a.rest || b.place - a.place);
        let count = 0;
        for (let freed = 0; freed < need; count++) {
          out[count] = all[count].id;
          freed += all[count].frees;
        }
        return count;
      },
    };
  },
};

test("with c = 0: the shortest predicted first, without preemption", async () => {
  let evictions = 0;
  let otherwise = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    const arrivals = Array.from({ length: 60 }, () => Math.floor(80 * random.next())).sort((a, b) => a - b);
    const trace = traceOf(arrivals.map((at) => [1 + random.below(20), 1 + random.below(30), at] as const));
    const options = {
      workers: [{ slots: 1 + random.below(12), kvTokens: random.pick([60, 150, 1000]) }],
      prediction: random.pick(["exact", { factor: 2 }] as const),
      eviction: random.pick(["restart", "recompute"] as const),
      seed,
    };
    const [plain, ours, preemptive] = await Promise.all(
      [shortestFirst, scheduling.trail({ c: 0 }), scheduling.trail()].map((policy) =>
        inRounds(trace, 0, policy, options),
      ),
    );
    expect([...ours.start], `seed ${seed}`).toEqual([...plain.start]);
    expect([...ours.finish], `seed ${seed}`).toEqual([...plain.finish]);
    evictions += plain.summary.evictions;
    if (preemptive.finish.some((time, i) => time !== plain.finish[i])) otherwise++;
  }
  expect(evictions).toBeGreaterThan(100);
  expect(otherwise).toBeGreaterThan(30);
});
