/** Round robin and first fit, and the closed pool of BF-IO's authors. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { Queue, Router, WorkerView } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent, recordedJson } from "../../helpers/recorded.ts";
import { assigned, request, worker, workers } from "./views.ts";

const router = (name: keyof typeof routing, count: number, queue: Queue = "worker") =>
  routing[name]().create({ workers: count, seed: 1, queue });
const arrive = (to: Router, ...inputs: number[]) => {
  for (const [id, input] of inputs.entries()) to.arrived(request(id, input));
};
const taken = (to: Router, views: WorkerView[]) => assigned(to, views).map(([, g]) => g);

test("round robin goes on where it stopped", () => {
  const it = router("roundRobin", 3);
  arrive(it, 1, 1, 1, 1);
  const views = [worker(0), worker(1), worker(2)];
  expect(taken(it, views)).toEqual([0, 1, 2, 0]);
  arrive(it, 1, 1);
  expect(taken(it, views)).toEqual([1, 2]);
});

test("round robin in front of full workers begins with worker 0 at each call and passes over those without room", () => {
  const it = router("roundRobin", 3, "router");
  const views = workers([{ freeSlots: 2 }, { freeSlots: 1, waiting: 1 }, { freeSlots: 1 }]);
  arrive(it, 1, 1, 1, 1);
  expect(taken(it, views)).toEqual([0, 2, 0]);
  expect(taken(it, views)).toEqual([0]);
});

test("round robin passes over a memory that is too small, and counts from the worker that it took", () => {
  const it = router("roundRobin", 3);
  arrive(it, 10, 10, 9, 10, 11, 11);
  expect(taken(it, workers([{ kvTokens: 10 }, { kvTokens: 11 }, { kvTokens: 11 }]))).toEqual([1, 2, 0, 1, 2, 0]);
});

test.each(["worker", "router"] as const)(
  "first fit fills in the order of the index, and its line waits: queues at the %s",
  (queue) => {
    const it = router("firstFit", 2, queue);
    arrive(it, 4, 4, 4, 3, 1);
    const views = workers([
      { freeSlots: 3, waiting: 1, freeKv: 100 },
      { freeSlots: 3, freeKv: 8 },
    ]);
    // Two slots of worker 0; at worker 1 5 of 8 tokens, then 4 do not fit, and the last, which would, does not overtake.
    expect(taken(it, views)).toEqual([0, 0, 1]);
    expect(taken(it, workers([{ freeSlots: 0 }, { freeSlots: 1, freeKv: 3 }]))).toEqual([]);
    expect(taken(it, workers([{ freeSlots: 1, freeKv: 3 }, { freeKv: 4 }]))).toEqual([1, 0]);
  },
);

test("first fit counts a token beside each prompt", () => {
  const fits = (freeKv: number) => {
    const it = router("firstFit", 1);
    arrive(it, 10, 10);
    return taken(it, workers([{ freeKv, kvTokens: 100 }])).length;
  };
  expect([10, 11, 21, 22].map(fits)).toEqual([0, 1, 1, 2]);
});

test("first fit does not hold up its line for what no worker can ever hold", () => {
  const it = router("firstFit", 2);
  arrive(it, 50, 5);
  expect(
    taken(
      it,
      workers([
        { freeKv: 9, kvTokens: 9, freeSlots: 0 },
        { freeKv: 9, kvTokens: 9 },
      ]),
    ),
  ).toEqual([1]);
  expect(
    taken(
      it,
      workers([
        { freeKv: 9, kvTokens: 9 },
        { freeKv: 9, kvTokens: 9 },
      ]),
    ),
  ).toEqual([0]);
});

/** The authors' rules, with everything worked out anew for each request. */
const rules = {
  firstFit: (room: number[]) => room.findIndex((slots) => slots > 0),
  leastKv: (room: number[], load: number[]) =>
    room.reduce((best, slots, g) => (slots > 0 && (best < 0 || load[g] < load[best]) ? g : best), -1),
  roundRobin: (room: number[], _load: number[], last: number) =>
    [...room.keys()].map((i) => (last + 1 + i) % room.length).find((g) => room[g] > 0)!,
};
type Filling = keyof typeof rules;

interface Pool {
  inputs: readonly number[];
  outputs: readonly number[];
  workers: number;
  slots: number;
}
/** What is assigned in the k-th fill. */
type Fill = (waiting: readonly number[], active: readonly number[][], load: readonly number[]) => [number, number][];

const fillByHand =
  (name: Filling, { inputs, slots }: Pool): Fill =>
  (waiting, active, held) => {
    const room = active.map((ids) => slots - ids.length);
    const load = [...held];
    let last = -1;
    return waiting
      .slice(
        0,
        room.reduce((a, b) => a + b),
      )
      .map((id) => {
        last = rules[name](room, load, last);
        room[last]--;
        load[last] += inputs[id];
        return [id, last];
      });
  };

function fillByRouter(name: Filling, { inputs, slots, workers: count }: Pool): Fill {
  const it = router(name, count, "router");
  let known = 0;
  return (waiting, active, load) => {
    for (const id of waiting) if (id >= known) it.arrived(request(id, inputs[id]));
    known = Math.max(known, waiting.at(-1)! + 1);
    const views = active.map((ids, g) => ({ freeSlots: slots - ids.length, batch: ids.length, load: load[g] }));
    return assigned(it, workers(views), 4 * count);
  };
}

/** A pool of 4 G requests is refilled in the order of the trace; a step gives each active request a token. Imbalance up to the last fill. */
function closedPool(
  { inputs, outputs, workers: count }: Pool,
  fill: Fill,
): { steps: number; imbalance: number; fills: [number, number][][] } {
  const active = Array.from({ length: count }, (): number[] => []);
  const load = new Array<number>(count).fill(0);
  const made = new Int32Array(inputs.length);
  const [fills, imbalance]: [[number, number][][], number[]] = [[], []];
  let pool: number[] = [];
  let next = 0;
  let lastFill = 0;
  for (let steps = 0; ; steps++) {
    while (pool.length < 4 * count && next < inputs.length) pool.push(next++);
    const pairs = pool.length > 0 ? fill(pool, active, load) : [];
    for (const [id, g] of pairs) {
      active[g].push(id);
      load[g] += inputs[id];
    }
    if (pairs.length > 0) lastFill = steps;
    fills.push(pairs);
    pool = pool.slice(pairs.length);
    if (active.every((ids) => ids.length === 0)) {
      return { steps, imbalance: imbalance.slice(0, lastFill).reduce((a, b) => a + b) / lastFill, fills };
    }
    for (const [g, ids] of active.entries()) {
      load[g] += ids.length;
      for (const id of ids) if (++made[id] >= outputs[id]) load[g] -= inputs[id] + made[id];
      active[g] = ids.filter((id) => made[id] < outputs[id]);
    }
    imbalance.push(count * Math.max(...load) - load.reduce((a, b) => a + b));
  }
}

describe.each(["firstFit", "leastKv", "roundRobin"] as const)("%s in a closed pool", (name) => {
  test("assigns as the authors' rules do", () => {
    const random = seeded(11);
    const length = (mean: number) => Math.ceil(-mean * Math.log(1 - random.next()));
    const pool = {
      inputs: Array.from({ length: 1500 }, () => length(300)),
      outputs: Array.from({ length: 1500 }, () => length(60)),
      workers: 6,
      slots: 9,
    };
    const expected = closedPool(pool, fillByHand(name, pool));
    expect(closedPool(pool, fillByRouter(name, pool)).fills).toEqual(expected.fills);
    expect(expected.fills.flat().map(([id]) => id)).toEqual([...pool.inputs.keys()]);
    expect(expected.fills.filter((pairs) => pairs.length > 1).length).toBeGreaterThan(100);
  });

  test.runIf(recordedDataPresent)(`gives the figures of the authors' simulator ${needsRecordedData}`, () => {
    const called = { firstFit: "FCFS", leastKv: "JSQ", roundRobin: "RR" }[name];
    type Row = {
      trace: string;
      policy: string;
      workers: number;
      slots: number;
      requests: number;
      steps: number;
      avg_gpu_imbalance: number;
    };
    const rows: Row[] = recordedJson("vectors/bfio_vectors.json").results;
    const row = rows.find(({ policy, trace }) => policy === called && trace === "burstgpt")!;
    const lines = recordedBytes("requests/burstgpt_8000_lengths.csv.gz")
      .toString()
      .split("\n")
      .slice(1, 1 + row.requests);
    const lengths = lines.map((line) => line.split(",").map(Number));
    const pool = { inputs: lengths.map(([input]) => input), outputs: lengths.map(([, output]) => output), ...row };
    const { steps, imbalance } = closedPool(pool, fillByRouter(name, pool));
    expect(steps).toBe(row.steps);
    expect(Math.abs(imbalance / row.avg_gpu_imbalance - 1)).toBeLessThan(1e-12); // whole numbers, summed in another order
  });
});
