/** Running requests that rest, and the end at which nobody may be held back, by schedulers made by hand. */
import { describe, expect, test } from "vitest";
import { PolicyError, type Scheduler, type SchedulingPolicy, type WorkerView } from "../../../src/serving/policy.ts";
import type { WorkerSpec } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { StepTime } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { centralQueue, inTurn } from "./policies.ts";

const traceOf = (arrival: number[], input: number[], output: number[]): Trace => ({
  requests: arrival.length,
  arrival: Float64Array.from(arrival),
  input: Int32Array.from(input),
  output: Int32Array.from(output),
});
const noTime: StepTime = { base: 0, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };
const one = { slots: 4, kvTokens: 100 };
const rounds = { workers: [one] as WorkerSpec[], clock: "rounds" as const, routing: inTurn };

const idsOf = ({ running }: WorkerView) => Array.from(running, ({ id }) => id);
const put = (ids: number[], out: Int32Array) => {
  for (const [k, id] of ids.entries()) out[k] = id;
  return ids.length;
};

/** First come first served without a look at the memory. Who rests follows from a rule, which is told how often it has been asked. */
function restBy(
  rest: (w: WorkerView, asked: number) => number[],
  evict: (need: number) => number[] = () => [],
): SchedulingPolicy {
  return {
    name: "rests by rule",
    create() {
      const waiting: number[] = [];
      let asked = 0;
      return {
        arrived: ({ id }) => waiting.push(id),
        admit: ({ freeSlots }, _now, out) => put(waiting.splice(0, freeSlots), out),
        rest: (w, _now, out) => put(rest(w, asked++), out),
        evict: (_w, need, out) => put(evict(need), out),
        evicted: ({ id }) => waiting.unshift(id),
      };
    },
  };
}

/** Nobody begins or makes a token while there are not two, until nothing more comes. */
function inPairs(drained: (worker: number) => void = () => undefined): SchedulingPolicy {
  let workers = 0;
  return {
    name: "in pairs",
    create() {
      const index = workers++;
      const waiting: number[] = [];
      let least = 2;
      const enough = (w: WorkerView) => w.batch! + w.waiting >= least;
      return {
        arrived: ({ id }) => waiting.push(id),
        admit: (w, _now, out) => put(enough(w) ? waiting.splice(0, w.freeSlots) : [], out),
        rest: (w, _now, out) => put(enough(w) ? [] : idsOf(w), out),
        evict: () => 0,
        drain() {
          least = 1;
          drained(index);
        },
      };
    },
  };
}

describe("who rests", () => {
  test("keeps its memory and its tokens, and goes on from there", async () => {
    const seen: number[][] = [];
    const scheduling = restBy((w, asked) => {
      seen.push([w.load!, w.freeKv, ...Array.from(w.running, ({ generated }) => generated)]);
      return asked === 1 || asked === 2 ? [0] : [];
    });
    const { firstToken, finish, summary } = await simulate(traceOf([0, 0], [4, 10], [3, 3]), { ...rounds, scheduling });
    expect([...firstToken]).toEqual([1, 1]);
    expect([...finish]).toEqual([5, 3]);
    expect(seen).toEqual([
      [14, 100 - 16, 0, 0],
      [16, 100 - 18, 1, 1],
      [17, 100 - 19, 1, 2],
      [5, 100 - 6, 1],
      [6, 100 - 7, 2],
    ]);
    expect(summary).toMatchObject({ completed: 2, steps: 5, evictions: 0, wastedTokens: 0 });
  });

  test("does not count in the time of a step", async () => {
    const workers = [{ ...one, stepTime: { ...noTime, base: 1, perSequence: 0.5, perKvToken: 0.25 } }];
    const scheduling = restBy((_, asked) => (asked === 1 ? [1] : []));
    const trace = traceOf([0, 0], [4, 10], [3, 3]);
    const { finish } = await simulate(trace, { workers, clock: "seconds", routing: inTurn, scheduling });
    const first = 1 + 0.5 * 2 + 0.25 * 14;
    const alone = 1 + 0.5 + 0.25 * 5;
    const both = 1 + 0.5 * 2 + 0.25 * (6 + 11);
    expect([...finish]).toEqual([first + alone + both, first + alone + both + (1 + 0.5 + 0.25 * 12)]);
  });

  test("has a longer gap before its next token", async () => {
    const scheduling = restBy((_, asked) => (asked === 1 || asked === 2 || asked === 4 ? [0] : []));
    const { finish, summary } = await simulate(traceOf([0, 0], [4, 4], [4, 6]), { ...rounds, scheduling });
    expect([...finish]).toEqual([7, 6]); // the first's tokens at 1, 4, 6 and 7
    expect(summary.itl.mean).toBeCloseTo((3 + 2 + 1 + 5 * 1) / 8);
    expect(summary.itl.p99).toBeGreaterThan(2.9);
  });

  test("may have been prefilled elsewhere, and rest before its second token", async () => {
    const scheduling = restBy((_, asked) => (asked < 2 ? [0] : []));
    const prefill = { pool: [one], bandwidth: Number.POSITIVE_INFINITY };
    const trace = traceOf([0, 0], [4, 4], [3, 9]);
    const { firstToken, finish, summary } = await simulate(trace, { ...rounds, scheduling, prefill });
    expect([...firstToken]).toEqual([1, 1]);
    expect([...finish]).toEqual([5, 9]);
    expect(summary.itl.mean).toBeCloseTo((3 + 1 + 8 * 1) / 10);
  });

  test("does not grow in what a router sees", async () => {
    const seen: number[][] = [];
    const watcher: typeof inTurn = {
      name: "watcher",
      create(o) {
        const router = inTurn.create(o);
        const assign: typeof router.assign = (views, now, out) => {
          seen.push([now, views[0].load!, ...Array.from(views[0].running, ({ generated }) => generated)]);
          return router.assign(views, now, out);
        };
        return { ...router, assign };
      },
    };
    const scheduling = restBy((_, asked) => (asked === 2 ? [0] : []));
    const options = { ...rounds, routing: watcher, scheduling, staleness: 3 };
    await simulate(traceOf([0, 0, 4], [4, 4, 4], [9, 9, 1]), options);
    // Read at 3, where the third step ends, in which the first has rested.
    expect(seen.at(-1)).toEqual([4, 4 + 2 + 4 + 3, 2, 3]);
  });

  test("makes way for no token of its own", async () => {
    // Six tokens each: 20 of 21 are held, and the next token of one of them fits.
    const scheduling = restBy((_, asked) => (asked === 6 ? [1] : []));
    const workers = [{ ...one, kvTokens: 21 }];
    const { finish, summary } = await simulate(traceOf([0, 0], [4, 4], [7, 8]), { ...rounds, workers, scheduling });
    expect([...finish]).toEqual([7, 9]);
    expect(summary.evictions).toBe(0);
  });

  test("is asked for again where somebody had to go, and lets those begin that wait if nobody else would step", async () => {
    const needs: number[] = [];
    const scheduling = restBy(
      (_, asked) => (asked >= 6 && asked <= 8 ? [0] : []),
      (need) => {
        needs.push(need);
        return [1];
      },
    );
    const workers = [{ ...one, kvTokens: 20 }];
    const trace = traceOf([0, 0], [4, 4], [8, 8]);
    const { finish, evictions } = await simulate(trace, { ...rounds, workers, scheduling });
    // At 6 both hold 10: asked first, after the eviction, and once the second has begun again; its tokens are at 7 to 14.
    expect([...finish]).toEqual([9, 14]);
    expect([...evictions]).toEqual([0, 1]);
    expect(needs).toEqual([2]);
  });

  test.each<[string, (w: WorkerView, asked: number) => number[], string, number, number]>([
    ["does not run", (_, asked) => (asked === 1 ? [2] : []), "not waiting", 2, 1],
    ["is none", (_, asked) => (asked === 1 ? [-1] : []), "not waiting", -1, 1],
    ["is being prefilled", () => [1], "not waiting", 1, 0],
    ["is to rest twice", (_, asked) => (asked === 1 ? [1, 1] : []), "served twice", 1, 1],
    ["is one of more than run", (_, asked) => (asked === 2 ? [1, 0, 1] : []), "served twice", 1, 2],
  ])("and %s: a PolicyError", async (_, rest, rule, request, step) => {
    const scheduling = restBy(rest);
    const trace = traceOf([0, 0, 5], [4, 4, 4], [4, 4, 4]);
    const error = await simulate(trace, { ...rounds, scheduling }).catch((reason) => reason);
    expect(error).toBeInstanceOf(PolicyError);
    expect(error).toMatchObject({ policy: "rests by rule", rule, request, step });
  });
});

test("a scheduler that lays to rest is asked before each step who begins", async () => {
  const byOne: SchedulingPolicy = {
    name: "one a step",
    create() {
      const waiting: number[] = [];
      return {
        arrived: ({ id }) => waiting.push(id),
        admit: (_w, _now, out) => put(waiting.splice(0, 1), out),
        rest: () => 0,
        evict: () => 0,
      };
    },
  };
  const { start } = await simulate(traceOf([0, 0, 0], [4, 4, 4], [9, 9, 9]), { ...rounds, scheduling: byOne });
  expect([...start]).toEqual([0, 1, 2]);
});

describe("where all rest", () => {
  test("there is no step until something comes", async () => {
    const scheduling = restBy((w, asked) => (asked === 1 ? idsOf(w) : []));
    const trace = traceOf([0, 0, 6], [4, 4, 4], [3, 2, 4]);
    const { start, finish, summary } = await simulate(trace, { ...rounds, scheduling });
    expect([...start]).toEqual([0, 0, 6]);
    expect([...finish]).toEqual([8, 7, 10]);
    expect(summary).toMatchObject({ steps: 5, makespan: 10 });
    // Until 6, the last start: two run on four slots, and hold 8 tokens for a round and 10 for five; one round of six has a step.
    expect(summary).toMatchObject({ slotUse: 0.5, tokenThroughput: 2 / 6 });
    expect(summary.kvUse).toBeCloseTo((8 + 5 * 10) / 6 / 100);
    expect(summary.idle).toBeCloseTo(5 / 6);
    expect(summary.itl.mean).toBeCloseTo((6 + 1 + 6 + 1 + 1 + 1) / 6);
  });

  // Worker 0 has requests 0, 2 and 4, worker 1 has 1 and 3: request 2 is alone from round 1 to round 6.
  const trace = traceOf([0, 0, 0, 0, 6], [4, 4, 4, 4, 4], [1, 8, 4, 8, 3]);

  test("other workers go on", async () => {
    const workers = [one, one];
    const { finish, summary } = await simulate(trace, { ...rounds, workers, scheduling: inPairs() });
    expect([...finish]).toEqual([1, 8, 9, 8, 9]);
    expect(summary.steps).toBe(4 + 8);
  });

  test("a barrier waits for nobody", async () => {
    const workers = [5, 1].map((base) => ({ ...one, stepTime: { ...noTime, base } }));
    const options = { ...rounds, clock: "seconds" as const, workers, barrier: true, scheduling: inPairs() };
    const { finish, summary } = await simulate(
      { ...trace, arrival: trace.arrival.map((t) => (t > 0 ? 8 : 0)) },
      options,
    );
    // A step of 5 s, three of 1 s while the first worker rests, then three of 5 s and one of 1 s.
    expect([...finish]).toEqual([5, 24, 23, 24, 23]);
    expect(summary.steps).toBe(8);
  });
});

describe("at the end", () => {
  test("who has waited for company goes on without", async () => {
    const told: number[] = [];
    const trace = traceOf([0, 0, 3, 9.5], [4, 4, 4, 4], [2, 5, 1, 2]);
    const { start, finish } = await simulate(trace, { ...rounds, scheduling: inPairs((worker) => told.push(worker)) });
    // Request 1 makes its third token beside request 2, rests from 4 to 10, and goes on beside request 3.
    expect([...start]).toEqual([0, 0, 3, 10]);
    expect([...finish]).toEqual([2, 12, 4, 12]);
    expect(told).toEqual([]);
    const { finish: drained } = await simulate(traceOf([0, 0, 3], [4, 4, 4], [2, 5, 1]), {
      ...{ ...rounds, scheduling: inPairs((worker) => told.push(worker)) },
    });
    expect([...drained]).toEqual([2, 6, 4]);
    expect(told).toEqual([0]);
  });

  test("who waits alone begins", async () => {
    const { finish } = await simulate(traceOf([2.5], [4], [3]), { ...rounds, scheduling: inPairs() });
    expect([...finish]).toEqual([6]);
  });

  test("is when nothing more can come to a worker that does nothing, whatever others do", async () => {
    const told: number[] = [];
    const scheduling = inPairs((worker) => told.push(worker));
    // Worker 0: request 0 ends at 1, request 2 is alone; worker 1 goes on, and its last request comes at 20.5.
    const trace = traceOf([0, 0, 0, 0, 20, 20.5], [4, 4, 4, 4, 4, 4], [1, 50, 4, 60, 2, 9]);
    const large = { slots: 4, kvTokens: 200 };
    const { finish } = await simulate(trace, { ...rounds, workers: [large, large], scheduling });
    expect([...finish]).toEqual([1, 50, 23, 60, 22, 30]);
    expect(told).toEqual([0, 1]);
  });

  test("behind a barrier is when nobody steps", async () => {
    const scheduling = inPairs();
    const trace = traceOf([0, 0, 0, 0], [4, 4, 4, 4], [1, 5, 4, 6]);
    const { finish } = await simulate(trace, { ...rounds, workers: [one, one], barrier: true, scheduling });
    expect([...finish]).toEqual([1, 5, 8, 6]);
  });

  test("is when nothing happens by itself, though a closed pool would be refilled", async () => {
    const workers = [{ slots: 1, kvTokens: 100 }];
    const options = { ...rounds, workers, routing: centralQueue, scheduling: inPairs(), arrivals: { pool: 2 } };
    const { finish } = await simulate(traceOf([0, 0, 0], [4, 4, 4], [2, 2, 2]), options);
    expect([...finish]).toEqual([2, 4, 6]);
  });

  test("comes after prompts that are prefilled elsewhere", async () => {
    const prefill = { pool: [{ slots: 1, kvTokens: 100 }], bandwidth: 1 };
    const told: number[] = [];
    const scheduling = inPairs((worker) => told.push(worker));
    // Prefilled by 1 and 2, there at 5 and 6: the first has waited for the second.
    const { finish } = await simulate(traceOf([0, 0], [4, 4], [3, 3]), { ...rounds, scheduling, prefill });
    expect([...finish]).toEqual([8, 8]);
    expect(told).toEqual([]);
  });

  test("without a word to the scheduler requests are lost, and it is said", async () => {
    const { create, name } = inPairs();
    const deaf = (o: Parameters<typeof create>[0]): Scheduler => ({ ...create(o), drain: undefined });
    const options = { ...rounds, scheduling: { name, create: deaf } };
    const error = await simulate(traceOf([0, 0], [4, 4], [1, 3]), options).catch((reason) => reason);
    expect(error).toMatchObject({ rule: "lost", request: 1, policy: "in pairs", step: 1 });
  });
});
