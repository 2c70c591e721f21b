/** What policies see. */
import { describe, expect, test } from "vitest";
import type { RequestView, RoutingPolicy } from "../../../src/serving/policy.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { centralQueue, inTurn } from "./policies.ts";
import { randomTrace, traceOf } from "./traces.ts";

describe("stale signals", () => {
  /** Notes what it is shown at each arrival. */
  function watcher(seen: number[][]): RoutingPolicy {
    const { create } = inTurn;
    return {
      name: "watcher",
      create(o) {
        const router = create(o);
        const assign: typeof router.assign = (views, now, out) => {
          seen.push([
            now,
            views[0].batch!,
            views[0].load!,
            ...Array.from(views[0].running, (r: RequestView) => r.generated),
          ]);
          return router.assign(views, now, out);
        };
        return { ...router, assign };
      },
    };
  }
  const trace = traceOf([0, 1, 2, 12, 18, 25], [4, 4, 4, 4, 4, 4], [30, 30, 30, 30, 30, 30]);
  const options = { workers: [{ slots: 9, kvTokens: 1000 }], clock: "rounds" as const };

  test("are those of the last reading, and what runs is shown as it ran then", async () => {
    const seen: number[][] = [];
    await simulate(trace, { ...options, routing: watcher(seen), staleness: 10 });
    const at10 = [3, 4 + 10 + 4 + 9 + 4 + 8, 10, 9, 8];
    const at20 = [5, 24 + 23 + 22 + 12 + 6, 20, 19, 18, 8, 2];
    expect(seen).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [2, 0, 0],
      [12, ...at10],
      [18, ...at10],
      [25, ...at20],
    ]);
  });

  test("without staleness all is as it is", async () => {
    const seen: number[][] = [];
    await simulate(trace, { ...options, routing: watcher(seen) });
    expect(seen.slice(0, 3)).toEqual([
      [0, 0, 0],
      [1, 1, 5, 1],
      [2, 2, 6 + 5, 2, 1],
    ]);
  });

  test("a router that holds requests gets to know of a free slot at the next reading", async () => {
    const workers = [{ slots: 1, kvTokens: 1000 }];
    const { start } = await simulate(traceOf([0, 1], [4, 4], [4, 4]), {
      workers,
      clock: "rounds",
      routing: centralQueue,
      staleness: 10,
    });
    expect([...start]).toEqual([0, 4]); // it has not seen the first begin, and sends the second at once
    const late = await simulate(traceOf([0, 11], [4, 4], [14, 4]), {
      workers,
      clock: "rounds",
      routing: centralQueue,
      staleness: 10,
    });
    expect([...late.start]).toEqual([0, 20]);
  });
});

test("a policy sees a request's fields, and nothing else: a copy has them all, and none can be set", async () => {
  const trace = { ...randomTrace(3, 20, 10), session: new Int32Array(20).fill(4) };
  const copies: RequestView[] = [];
  const routing: RoutingPolicy = {
    name: "collector",
    create(o) {
      const router = inTurn.create(o);
      const assign: typeof router.assign = (views, now, out) => {
        for (const view of views) copies.push(...Array.from({ ...view }.running, (r) => ({ ...r })));
        return router.assign(views, now, out);
      };
      const arrived = (r: RequestView) => {
        expect(() => Object.assign(r, { id: 5 })).toThrow(TypeError);
        copies.push({ ...r });
        router.arrived(r);
      };
      return { ...router, arrived, assign };
    },
  };
  await simulate(trace, { workers: [{ slots: 8, kvTokens: 1000 }], clock: "rounds", routing });
  expect(copies.length).toBeGreaterThan(30);
  const known = [
    "id",
    "arrival",
    "input",
    "generated",
    "predicted",
    "session",
    "class",
    "value",
    "blocks",
    "blockTokens",
  ];
  for (const copy of copies) {
    expect(Object.keys(copy).sort()).toEqual([...known].sort());
    expect(copy).toMatchObject({ arrival: trace.arrival[copy.id], input: trace.input[copy.id], session: 4 });
    expect(copy.predicted).toBeUndefined();
  }
});

test("predictions: all that a policy sees of an output", async () => {
  const trace = randomTrace(3, 200, 100);
  async function predictions(prediction: SimulateOptions["prediction"]): Promise<RequestView["predicted"][]> {
    const seen: RequestView["predicted"][] = [];
    const routing: RoutingPolicy = {
      name: "reader",
      create(o) {
        const router = inTurn.create(o);
        const arrived = (r: RequestView) => {
          seen[r.id] = Array.isArray(r.predicted) ? [r.predicted[0], r.predicted[1]] : r.predicted;
          router.arrived(r);
        };
        return { ...router, arrived };
      },
    };
    await simulate(trace, { workers: [{ slots: 8, kvTokens: 1000 }], clock: "rounds", routing, prediction });
    return seen;
  }
  const outputs = [...trace.output];
  expect(await predictions(undefined)).toEqual(outputs.map(() => undefined));
  expect(await predictions("exact")).toEqual(outputs);
  expect(await predictions({ interval: [1, 500] })).toEqual(outputs.map(() => [1, 500]));
  for (const [i, bin] of (await predictions({ bins: 20 })).entries()) {
    const [l, u] = bin as [number, number];
    expect([(l - 1) % 20, u - l, l <= outputs[i] && outputs[i] <= u]).toEqual([0, 19, true]);
  }
  const noisy = (await predictions({ factor: 2 })) as number[];
  const ratios = noisy.map((point, i) => point / outputs[i]).filter((_, i) => outputs[i] > 10);
  expect(Math.min(...ratios)).toBeGreaterThan(0.45);
  expect(Math.max(...ratios)).toBeLessThan(2.05);
  expect(new Set(ratios.map((ratio) => ratio.toFixed(1))).size).toBeGreaterThan(8);
  expect(await predictions({ factor: 2 })).toEqual(noisy);
});
