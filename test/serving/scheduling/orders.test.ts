/** Who begins, and who goes, by hand. */
import { describe, expect, test } from "vitest";
import type { RequestView, SchedulingPolicy } from "../../../src/serving/policy.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import { ask, evicted, inRounds, request, traceOf, worker } from "./hand.ts";

const at = (policy: SchedulingPolicy, kvTokens = 1000) => policy.create({ slots: 100, kvTokens, seed: 0 });

/** In what order an idle worker with room for all lets them begin. */
function orderOf(policy: SchedulingPolicy, requests: readonly RequestView[]): number[] {
  const scheduler = at(policy);
  for (const r of requests) scheduler.arrived(r);
  return ask(scheduler, "admit", worker(1000));
}

const four = [
  request(7, 30, { predicted: 2, class: 2 }),
  request(5, 10, { predicted: [1, 8], class: 1 }), // 4.5 tokens: 5
  request(6, 10, { predicted: 4, class: 1 }),
  request(4, 1, { predicted: [9, 11] }),
];

test.each([
  ["fcfs", scheduling.fcfs(), [7, 5, 6, 4]],
  ["sjf", scheduling.sjf(), [4, 5, 6, 7]],
  ["priority", scheduling.priority(), [5, 6, 7, 4]],
  ["mcsf", scheduling.mcsf(), [7, 6, 5, 4]],
  ["svf", scheduling.svf(), [6, 7, 5, 4]], // 50, 63, 65, 65
  ["aMax", scheduling.aMax(), [7, 6, 5, 4]],
  ["aMin", scheduling.aMin(), [5, 7, 6, 4]],
  ["trail", scheduling.trail(), [7, 6, 5, 4]],
])("%s begins in its order", (_, policy, ids) => expect(orderOf(policy, four)).toEqual(ids));

test("none begins where the one ahead of it does not fit, and who was rejected is skipped", () => {
  const scheduler = at(scheduling.sjf());
  for (const [id, input] of [20, 50, 30, 40].entries()) scheduler.arrived(request(id, input));
  expect(ask(scheduler, "admit", worker(52))).toEqual([0, 2]); // 21 + 31
  const running = [request(0, 20, { generated: 1 })];
  expect(ask(scheduler, "admit", worker(60, running))).toEqual([]); // 41 > 38, and 51 too
  scheduler.finished!(3);
  expect(ask(scheduler, "admit", worker(73, running))).toEqual([1]);
  expect(ask(scheduler, "admit", worker(1000))).toEqual([]);
});

test("of many that wait any may be taken away", () => {
  const scheduler = at(scheduling.sjf(), 1e6);
  for (let id = 0; id < 100; id++) scheduler.arrived(request(id, 1 + ((id * 37) % 100)));
  for (let id = 0; id < 100; id++) if (id % 9 !== 0) scheduler.finished!(id);
  const ids = Array.from({ length: 12 }, (_, k) => 9 * k).sort((a, b) => ((a * 37) % 100) - ((b * 37) % 100));
  expect(ask(scheduler, "admit", worker(1e6))).toEqual(ids);
});

test("who was prefilled elsewhere has so many fewer tokens to go, and takes more memory", () => {
  const scheduler = at(scheduling.mcsf());
  scheduler.arrived(request(0, 10, { predicted: 5 }));
  scheduler.arrived(request(1, 10, { predicted: 6, generated: 3 }));
  expect(ask(scheduler, "admit", worker(1000))).toEqual([1, 0]);
});

describe("where the memory runs out", () => {
  const running = [
    request(0, 10, { generated: 4, predicted: [3, 9] }),
    request(1, 10, { generated: 2, predicted: [2, 30] }),
    request(2, 10, { generated: 1, predicted: [6, 7] }),
  ];
  const begun = (policy: SchedulingPolicy) => {
    const scheduler = at(policy);
    for (const r of running) scheduler.arrived({ ...r, generated: 0 });
    ask(scheduler, "admit", worker(1000));
    return scheduler;
  };

  test.each(["fcfs", "sjf", "priority", "mcsf", "svf", "sortedF", "aMax"] as const)("%s: who began last", (name) => {
    const scheduler = begun(scheduling[name]());
    expect(evicted(scheduler, worker(30, running), 1)).toEqual([2]);
    expect(evicted(scheduler, worker(30, running), 13)).toEqual([2, 1]); // 12 + 13 tokens
  });

  test("trail: the preemptible one with the most to go", () => {
    const scheduler = begun(scheduling.trail({ c: 0.5 })); // first predictions 6, 16, 6.5: 4 > 3 is not preemptible
    expect(evicted(scheduler, worker(30, running), 1)).toEqual([1]);
    expect(evicted(scheduler, worker(30, running), 14)).toEqual([1, 2]);
    expect(evicted(scheduler, worker(30, running), 26)).toEqual([1, 2, 0]);
  });

  test("aMin: the shortest estimate, which becomes what was generated", () => {
    const scheduler = begun(scheduling.aMin());
    expect(evicted(scheduler, worker(30, running), 14)).toEqual([1, 0]);
    for (const r of [running[1], running[0]]) scheduler.evicted!({ ...r, generated: 0 });
    scheduler.arrived(request(3, 10, { predicted: 3 }));
    // Estimates 4 (of 0, no longer 3), 2 and 3.
    expect(ask(scheduler, "admit", worker(1000, [running[2]]))).toEqual([1, 3, 0]);
  });

  test("aMin: of equal estimates any, by the seed", () => {
    const same = Array.from({ length: 8 }, (_, id) => request(id, 10, { predicted: 5, generated: 1 }));
    const first = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const draw = () => {
        const scheduler = scheduling.aMin().create({ slots: 100, kvTokens: 1000, seed });
        for (const r of same) scheduler.arrived(r);
        return evicted(scheduler, worker(90, same), 1);
      };
      expect(draw()).toEqual(draw());
      first.add(draw()[0]);
    }
    expect(first.size).toBeGreaterThan(5);
  });

  test("fcfs: they wait ahead of all others; with sjf in their order", () => {
    for (const [policy, ids] of [
      [scheduling.fcfs(), [1, 2, 3]],
      [scheduling.sjf(), [3, 1, 2]],
    ] as const) {
      const scheduler = begun(policy);
      scheduler.arrived(request(3, 9));
      for (const r of [running[2], running[1]]) scheduler.evicted!({ ...r, generated: 0 });
      expect(ask(scheduler, "admit", worker(1000, [running[0]]))).toEqual(ids);
    }
  });
});

test("a reserve keeps its share free, but for one that is alone", async () => {
  const trace = traceOf([
    [40, 10],
    [40, 10],
    [85, 10],
  ]);
  expect([...(await inRounds(trace, 100, scheduling.mcsf())).start]).toEqual([0, 0, 10]);
  expect([...(await inRounds(trace, 100, scheduling.mcsf({ reserve: 0.1 }))).start]).toEqual([0, 10, 20]);
});

test("one whose prediction is beyond the memory begins when nothing else runs", async () => {
  const trace = traceOf([
    [10, 5],
    [10, 5],
  ]);
  const { start } = await inRounds(trace, 60, scheduling.svf(), { prediction: { interval: [90, 100] } });
  expect([...start]).toEqual([0, 5]);
});

test.each(["mcsf", "svf", "sortedF", "aMax", "aMin", "trail"] as const)(
  "%s refuses requests without a prediction",
  (name) => {
    expect(() => at(scheduling[name]()).arrived(request(0, 1))).toThrow(
      `prediction: expected a model other than "none", since ${name} orders by it, got undefined.`,
    );
    expect(() => at(scheduling[name]()).arrived(request(0, 1, { predicted: Number.NaN }))).toThrow(
      "r.predicted: expected",
    );
  },
);

test("the future check needs predictions, the present one does not", async () => {
  for (const name of ["fcfs", "sjf", "priority"] as const) {
    const trace = traceOf([[1, 1]]);
    const none = { prediction: "none" } as const;
    expect((await inRounds(trace, 10, scheduling[name](), none)).finish[0]).toBe(1);
    await expect(inRounds(trace, 10, scheduling[name]({ admission: "future" }), none)).rejects.toThrow(
      'prediction: expected a model other than "none", since admission "future" goes by it',
    );
  }
});

test("an id that is here already is refused", () => {
  const scheduler = at(scheduling.fcfs());
  scheduler.arrived(request(0, 1));
  expect(() => scheduler.arrived(request(0, 1))).toThrow("r.id: expected an id that no other request has, got 0.");
});

test.each<[string, () => unknown, string]>([
  ["fcfs", () => scheduling.fcfs({ admission: "past" as "future" }), 'admission: expected "present" or "future"'],
  ["sjf", () => scheduling.sjf({ admision: "future" } as object), "Did you mean admission?"],
  ["priority", () => scheduling.priority(null as unknown as object), "options: expected an object, got null."],
  ["mcsf", () => scheduling.mcsf({ reserve: 1 }), "reserve: expected a share from 0 to below 1, got 1."],
  ["mcsf", () => scheduling.mcsf({ reserved: 0.1 } as object), "Did you mean reserve?"],
  ["trail", () => scheduling.trail({ c: -1 }), "c: expected a number >= 0, got -1."],
  ["trail", () => scheduling.trail({ d: 1 } as object), "options: expected only c"],
  ["svf", () => scheduling.svf({ c: 1 } as never), "this policy has no options"],
  ["sortedF", () => scheduling.sortedF({ c: 1 } as never), "this policy has no options"],
  ["aMax", () => scheduling.aMax({ c: 1 } as never), "this policy has no options"],
  ["aMin", () => scheduling.aMin({ c: 1 } as never), "this policy has no options"],
])("options of %s are checked", (_, make, message) => expect(make).toThrow(message));
