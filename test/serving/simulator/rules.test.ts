/** A policy that breaks a rule is told which, by which request and at which step. */
import { describe, expect, test } from "vitest";
import { PolicyError, type RoutingPolicy, type SchedulingPolicy } from "../../../src/serving/policy.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inTurn, scheduleBy, sendBy } from "./policies.ts";

const requests: Trace = {
  requests: 4,
  arrival: Float64Array.of(0, 0, 3, 3),
  input: Int32Array.of(10, 10, 10, 10),
  output: Int32Array.of(5, 5, 5, 5),
};

async function broken(options: Partial<SimulateOptions>): Promise<PolicyError> {
  const workers = [
    { slots: 2, kvTokens: 100 },
    { slots: 2, kvTokens: 100 },
  ];
  const error = await simulate(requests, { workers, clock: "rounds", routing: inTurn, ...options }).catch(
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(PolicyError);
  expect(error.name).toBe("PolicyError");
  expect(error.message).toContain(`"${error.rule}" broken by request ${error.request} at step ${error.step}`);
  return error;
}

/** Sends these pairs, call by call. */
function script(...calls: [number, number][][]): RoutingPolicy {
  return {
    name: "script",
    create: () => ({
      arrived: () => undefined,
      assign(_views, _now, out) {
        const pairs = calls.shift() ?? [];
        out.set(pairs.flat());
        return pairs.length;
      },
    }),
  };
}

describe("a router", () => {
  test.each<[string, RoutingPolicy, string, number, Partial<SimulateOptions>?]>([
    ["that never sends a request", script([[0, 0]]), "lost", 1],
    [
      "that sends one twice in a call",
      script([
        [0, 0],
        [0, 0],
      ]),
      "served twice",
      0,
    ],
    [
      "that sends one to two workers in a call",
      script([
        [0, 0],
        [0, 1],
      ]),
      "served twice",
      0,
    ],
    [
      "that sends one again to its worker",
      script(
        [
          [0, 0],
          [1, 0],
        ],
        [[0, 0]],
      ),
      "served twice",
      0,
    ],
    [
      "that sends one that runs to another worker",
      script(
        [
          [0, 0],
          [1, 0],
        ],
        [[1, 1]],
      ),
      "migrated",
      1,
    ],
    ["that sends one that has not come", script([[3, 0]]), "not waiting", 3],
    ["that sends one that there is not", script([[17, 0]]), "not waiting", 17],
    ["that sends to a worker that there is not", script([[1, 2]]), "slots", 1],
    ["that sends from a closed pool to a full worker", sendBy(() => 0), "slots", 2, { arrivals: { pool: 3 } }],
  ])("%s", async (_, routing, rule, request, options) => {
    expect(await broken({ routing, ...options })).toMatchObject({ rule, request, policy: routing.name });
  });

  test("that sends one that is served", async () => {
    const again = script(
      [
        [0, 0],
        [1, 0],
      ],
      [[2, 0]],
      [[0, 0]],
    );
    expect(await broken({ routing: again })).toMatchObject({ rule: "served twice", request: 0 });
  });
});

describe("a scheduler", () => {
  const one = { workers: [{ slots: 2, kvTokens: 100 }] };
  test.each<[string, SchedulingPolicy, string, number, number]>([
    ["that never admits a request", scheduleBy((_, step) => (step === 0 ? [0] : [])), "lost", 1, 5],
    ["that admits one twice at once", scheduleBy(() => [0, 0]), "served twice", 0, 0],
    ["that admits one that runs", scheduleBy(() => [0]), "served twice", 0, 3],
    ["that admits one that has not come", scheduleBy(() => [2]), "not waiting", 2, 0],
    ["that admits one that there is not", scheduleBy(() => [-1]), "not waiting", -1, 0],
    [
      "that admits more than there are slots",
      scheduleBy((ids, step) => (step === 0 ? [0] : ids.slice(1))),
      "slots",
      2,
      3,
    ],
  ])("%s", async (_, scheduling, rule, request, step) => {
    expect(await broken({ ...one, scheduling })).toMatchObject({ rule, request, step, policy: "by rule" });
  });

  test("that admits more than the memory holds", async () => {
    const scheduling = scheduleBy((ids) => ids);
    const workers = [{ slots: 2, kvTokens: 21 }];
    expect(await broken({ workers, scheduling })).toMatchObject({ rule: "kvTokens", request: 1, step: 0 });
  });

  test("that admits what waits at another worker", async () => {
    const scheduling = scheduleBy(() => [0]);
    expect(await broken({ scheduling, routing: sendBy((id) => 1 - id) })).toMatchObject({
      rule: "not waiting",
      request: 0,
    });
  });

  test("that evicts nobody when the memory runs out", async () => {
    const workers = [{ slots: 2, kvTokens: 25 }];
    const scheduling = scheduleBy((ids, step) => (step === 0 ? ids : []));
    // 2 x (10 + 3) > 25: the third step does not fit.
    expect(await broken({ workers, scheduling })).toMatchObject({ rule: "kvTokens", request: 1, step: 2 });
  });

  test("that evicts one that does not run", async () => {
    const workers = [{ slots: 2, kvTokens: 25 }];
    const scheduling = scheduleBy(
      (ids, step) => (step === 0 ? ids : []),
      () => [3],
    );
    expect(await broken({ workers, scheduling })).toMatchObject({ rule: "not waiting", request: 3, step: 2 });
  });
});

test("the same policies, without the mistake, serve all", async () => {
  const scheduling = scheduleBy((ids) => ids.splice(0));
  const workers = [{ slots: 4, kvTokens: 100 }];
  const { summary } = await simulate(requests, { workers, clock: "rounds", routing: inTurn, scheduling });
  expect(summary.completed).toBe(4);
});

test("a scheduler may evict all that run, and let them in again before the step", async () => {
  const queue: number[] = [];
  let most = 2; // and one at a time when that was too much
  const scheduling: SchedulingPolicy = {
    name: "clear",
    create: () => ({
      arrived: ({ id }) => queue.push(id),
      admit({ freeKv }, _now, out) {
        let count = 0;
        for (let free = freeKv; count < most && queue.length > 0 && free >= 11; free -= 11)
          out[count++] = queue.shift()!;
        return count;
      },
      evict: ({ running }, _need, out) => {
        let count = 0;
        for (const { id } of running) out[count++] = id;
        return count;
      },
      evicted({ id }) {
        queue.push(id);
        most = 1;
      },
    }),
  };
  const workers = [{ slots: 2, kvTokens: 25 }];
  const { summary } = await simulate(requests, { workers, clock: "rounds", routing: inTurn, scheduling });
  expect(summary.completed).toBe(4);
  expect(summary.evictions).toBeGreaterThan(0);
});

test("with rounds the step is the round", async () => {
  const late = { ...requests, arrival: Float64Array.of(0, 7, 10, 10) };
  const workers = Array.from({ length: 2 }, () => ({ slots: 2, kvTokens: 100 }));
  const output = Int32Array.of(50, 5, 5, 5);
  const routing = script([[0, 0]], [[1, 0]], [[0, 1]]);
  const error = await simulate({ ...late, output }, { workers, clock: "rounds", routing }).catch((reason) => reason);
  expect(error).toMatchObject({ rule: "migrated", request: 0, step: 10 });
});
