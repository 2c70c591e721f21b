/** What all policies have in common. */
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/common/errors.ts";
import { seeded } from "../../../src/common/random.ts";
import type { RequestView, RouterOptions, RoutingPolicy, WorkerView } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { errorOf, expectError } from "../../helpers/bad_input.ts";
import { assigned, bare, request, worker, workers } from "./views.ts";

type Name = keyof typeof routing;
const names = Object.keys(routing) as Name[];
const make = (name: Name): RoutingPolicy => routing[name]();

test("names are what tables print", () => {
  expect(names.map((name) => make(name).name)).toEqual([
    "round robin",
    "first fit",
    "least requests",
    "least KV",
    "power of two",
    "4 waiting + running",
    "consistent hash",
    "cache-aware",
    "LMetric",
  ]);
});

/** Requests with everything that any policy looks at. */
function requests(seed: number, count: number): RequestView[] {
  const random = seeded(seed);
  return Array.from({ length: count }, (_, id) => {
    const first = random.below(30);
    const blocks = Int32Array.from({ length: 1 + random.below(4) }, (_, depth) => 100 * depth + first);
    return request(id, 16 * blocks.length, { blocks, blockTokens: 16, session: random.below(40) });
  });
}

/** Workers with a few slots of which some are free, others in each round. */
function fleet(round: number, count: number, slots: number): WorkerView[] {
  const random = seeded(round);
  return workers(
    Array.from({ length: count }, () => {
      const batch = random.below(slots + 1);
      return { freeSlots: slots - batch, waiting: random.below(2), batch, load: 30 * batch, prefill: random.below(90) };
    }),
  );
}

describe.each(names)("%s", (name) => {
  test.each([1, 7])(
    "in front of %i workers: all assigned once, in the order of arrival, never beyond the room",
    (count) => {
      const all = requests(3, 3000);
      const router = make(name).create({ workers: count, seed: 5, queue: "router" });
      const order: number[] = [];
      let arrived = 0;
      for (let round = 0; order.length < all.length; round++) {
        for (let k = 0; k < 20 && arrived < all.length; k++) router.arrived(all[arrived++]);
        const views = fleet(round, count, 6);
        const room = views.map((w) => w.freeSlots - w.waiting);
        for (const [id, g] of assigned(router, views)) {
          expect(--room[g]).toBeGreaterThanOrEqual(0);
          order.push(id);
        }
        // Nothing waits while there is room: but for who waits for one worker.
        if (name !== "consistentHash" && order.length < arrived) expect(Math.max(...room)).toBeLessThanOrEqual(0);
        if (round > 20_000) throw new Error("the line stands still");
      }
      expect(order).toEqual(all.map(({ id }) => id));
    },
  );

  test("with queues at the workers all are sent at once", () => {
    const all = requests(4, 3000);
    const router = make(name).create({ workers: 5, seed: 5 });
    const views = workers(new Array(5).fill({ batch: 3, freeSlots: name === "firstFit" ? 3000 : 0 }));
    for (const [i, one] of all.entries()) {
      router.arrived(one);
      if (i % 7 > 0 && i < all.length - 1) continue;
      const pairs = assigned(router, views, 10);
      expect(pairs.map(([id]) => id)).toEqual(all.slice(i - pairs.length + 1, i + 1).map(({ id }) => id));
      expect(pairs.length).toBe(i === 0 ? 1 : i % 7 > 0 ? i % 7 : 7);
    }
  });

  test("follows from the seed alone", () => {
    const run = (seed: number, queue: "worker" | "router") => {
      const router = make(name).create({ workers: 6, seed, queue });
      for (const one of requests(9, 200)) router.arrived(one);
      return assigned(router, fleet(1, 6, 60));
    };
    expect(run(2, "router")).toEqual(run(2, "router"));
    expect(run(2, "worker")).toEqual(run(2, "worker"));
    if (name === "powerOfTwo") expect(run(2, "worker")).not.toEqual(run(3, "worker"));
    else expect(run(2, "worker")).toEqual(run(3, "worker"));
  });

  test.each(["worker", "router"] as const)("a memory that is too small gets nothing: queues at the %s", (queue) => {
    const router = make(name).create({ workers: 3, seed: 1, queue });
    for (let id = 0; id < 60; id++) router.arrived(request(id, 10 + (id % 2), { session: id }));
    const pairs = assigned(router, workers([{ kvTokens: 10, load: 0 }, { kvTokens: 11, load: 5 }, { load: 10 }]));
    expect(pairs.length).toBe(60);
    expect(pairs.some(([, g]) => g === 0)).toBe(false);
    expect(pairs.filter(([, g]) => g === 1).every(([id]) => id % 2 === 0)).toBe(true);
    router.arrived(request(60, 10));
    expect(assigned(router, workers([{ kvTokens: 5 }, { kvTokens: 6 }, { kvTokens: 7 }]))).toHaveLength(1);
  });

  test("makes do with `running` where signals are absent", () => {
    const run = (views: WorkerView[]) => {
      const router = make(name).create({ workers: 4, seed: 1 });
      for (const one of requests(2, 50)) router.arrived(one);
      return assigned(router, views);
    };
    const random = seeded(8);
    const views = Array.from({ length: 4 }, (_, g) => {
      const running = Array.from({ length: random.below(9) }, (_, i) => request(900 + i, 5, { generated: 2 }));
      return worker(g, { running, batch: running.length, load: 7 * running.length, prefill: 0 });
    });
    expect(run(views.map(bare))).toEqual(run(views));
  });

  test("forgets one that was rejected while it waited, and does not mind one that has been sent", () => {
    const router = make(name).create({ workers: 2, seed: 1, queue: "router" });
    for (let id = 0; id < 5; id++) router.arrived(request(id, 3, { session: 0 }));
    router.finished!(0);
    router.finished!(3);
    router.finished!(77);
    const first = assigned(router, workers([{ freeSlots: 1 }, { freeSlots: 1 }])).map(([id]) => id);
    for (const id of first) router.finished!(id);
    const rest = assigned(router, workers([{}, {}])).map(([id]) => id);
    expect([...first, ...rest]).toEqual([1, 2, 4]);
    router.arrived(request(0));
    expect(assigned(router, workers([{}, {}])).map(([id]) => id)).toEqual([0]);
  });

  test("a decision reads as much of the workers whether 10 wait or 10,000, and no signal is read again", () => {
    const reads = (waiting: number) => {
      const router = make(name).create({ workers: 8, seed: 1, queue: "router" });
      for (let id = 0; id < waiting; id++) router.arrived(request(id, 3, { session: 0 }));
      const counts = new Map<string, number>();
      const views = workers(new Array(8).fill({ freeSlots: 1, batch: 1, load: 4, prefill: 1, kvTokens: 100 })).map(
        (view, g) =>
          new Proxy(view, {
            get(target, key) {
              counts.set(`${String(key)} ${g}`, (counts.get(`${String(key)} ${g}`) ?? 0) + 1);
              return target[key as keyof WorkerView];
            },
          }),
      );
      expect(assigned(router, views).length).toBe(name === "consistentHash" ? 1 : 8);
      return counts;
    };
    const few = reads(10);
    expect(reads(10_000)).toEqual(few);
    // Absence and value of an optional one; `waiting` is part of the room and of the number of requests.
    expect(Math.max(...few.values())).toBeLessThanOrEqual(2);
    expect(few.size).toBeGreaterThan(0);
  });

  test("says what is wrong with a call", () => {
    const router = make(name).create({ workers: 2, seed: 1, queue: "router" });
    router.arrived(request(0));
    router.arrived(request(1));
    const assign = (views: WorkerView[], room: number) => errorOf(() => router.assign(views, 0, new Int32Array(room)));
    expectError(assign([worker(0)], 4), "workers: expected 2 views, got 1.", ShapeError);
    expectError(assign([worker(0), worker(1)], 3), "out: expected at least 2 * 2 = 4 values, got 3.", ShapeError);
    expectError(
      errorOf(() => router.arrived(request(1))),
      "id: expected one that does not wait already, got 1.",
      ArgumentError,
    );
    expect(assigned(router, [worker(0), worker(1)], 2)).toHaveLength(2); // nothing was lost by it
    expect(router.assign([], 0, new Int32Array(0))).toBe(0); // nothing waits
  });

  test.each<[string, unknown]>([
    ["options.workers: expected an integer >= 1, got 0.", { workers: 0, seed: 1 }],
    ["options.workers: expected an integer >= 1, got 1.5.", { workers: 1.5, seed: 1 }],
    ["options.seed: expected a finite number, got NaN.", { workers: 1, seed: Number.NaN }],
    ["options.seed: expected a finite number, got undefined.", { workers: 1 }],
    ['options.queue: expected "worker" or "router", got "both".', { workers: 1, seed: 1, queue: "both" }],
    ['options: expected only workers, seed, queue, got "worker". Did you mean workers?', { worker: 1, seed: 1 }],
    ["options: expected an object, got undefined.", undefined],
  ])("%s", (message, options) => {
    expectError(
      errorOf(() => make(name).create(options as RouterOptions)),
      message,
      ArgumentError,
    );
  });
});

const refused = (name: Name, options: unknown, message: string) =>
  expectError(
    errorOf(() => (routing[name] as (o: unknown) => RoutingPolicy)(options)),
    message,
    ArgumentError,
  );

test.each(names.filter((name) => !["cacheAware", "lmetric"].includes(name)))("%s has no options", (name) => {
  refused(name, { by: "load" }, 'options: expected no fields, since this policy has no options, got "by".');
  refused(name, 3, "options: expected an object, got 3.");
  refused(name, null, "options: expected an object, got null.");
  expect((routing[name] as (o: unknown) => RoutingPolicy)({ by: undefined }).name).toBe(make(name).name);
});

test("options of cacheAware and lmetric are checked", () => {
  for (const name of ["cacheAware", "lmetric"] as const) {
    for (const blocks of [0, -1, 1.5, Number.NaN, 2 ** 23 + 1]) {
      refused(name, { blocks }, `options.blocks: expected an integer from 1 to 2^23, got ${blocks}.`);
    }
    refused(name, { blocks: "7" }, 'options.blocks: expected an integer from 1 to 2^23, got "7".');
    refused(name, 7, "options: expected an object, got 7.");
  }
  refused("lmetric", { block: 1 }, 'options: expected only blocks, got "block". Did you mean blocks?');
  const all = "balanceAbs, balanceRel, cacheThreshold, blocks";
  refused("cacheAware", { balance: 1 }, `options: expected only ${all}, got "balance". Did you mean balanceAbs?`);
  refused("cacheAware", { balanceAbs: -1 }, "options.balanceAbs: expected a number >= 0, got -1.");
  refused("cacheAware", { balanceRel: 0.5 }, "options.balanceRel: expected a number >= 1, got 0.5.");
  refused("cacheAware", { cacheThreshold: 1.1 }, "options.cacheThreshold: expected a number from 0 to 1, got 1.1.");
  refused("cacheAware", { cacheThreshold: NaN }, "options.cacheThreshold: expected a number from 0 to 1, got NaN.");
});
