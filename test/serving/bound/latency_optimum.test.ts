import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import type { BoundOptions } from "../../../src/serving/bound/bound_options.ts";
import { latencyOptimum } from "../../../src/serving/bound/latency_optimum.ts";
import { traceOf } from "../scheduling/hand.ts";
import { hindsightOptimum } from "./hindsight_lp.ts";
import { bruteForce, faultOf, latencyOf, randomInstance } from "./instances.ts";
import { optimumWithResume } from "./problems.ts";

describe("the least total latency with pauses between tokens", () => {
  test("is that of all rounds tried", async () => {
    let better = 0;
    for (let seed = 0; seed < 400; seed++) {
      const { trace, options } = randomInstance(seed, 3, 2);
      const { kvTokens, slots } = options;
      for (let i = 0; i < trace.requests; i++) trace.output[i] = Math.min(trace.output[i], 4);
      const one = { kvTokens, ...(slots && { slots }) };
      const found = await latencyOptimum(trace, { ...one, preemption: "resume" });
      expect(found.total, `seed ${seed}`).toBeCloseTo(optimumWithResume({ trace, options: { ...one, workers: 1 } }), 9);
      expect(found).toMatchObject({ optimal: true, bound: found.total });
      const { total } = await latencyOptimum(trace, one);
      expect(found.total).toBeLessThanOrEqual(total + 1e-9);
      if (found.total < total - 1e-9) better++;
    }
    expect(better).toBeGreaterThan(5);
  });

  test("on slots alone is the shortest remaining first's, on two of them, all at once, the shortest first's", async () => {
    const late = traceOf([
      [1, 7, 0],
      [1, 2, 1],
      [1, 3, 2],
      [1, 1, 5],
    ]);
    // Request 0 in round 1, 1 in rounds 2 and 3, 2 until 6, 3 in round 7, 0 again until 13.
    const options = { kvTokens: 100, slots: 1, preemption: "resume" } as const;
    const remaining = { total: 13 - 0 + (3 - 1) + (6 - 2) + (7 - 5), optimal: true };
    expect(await latencyOptimum(late, options)).toMatchObject(remaining);
    const burst = traceOf([5, 3, 4, 1, 2].map((o) => [1, o] as const));
    // 1 and 2, then 3 behind the one, 4 behind the other, 5 behind that.
    const shortest = { total: 1 + 2 + 4 + 6 + 9, optimal: true };
    expect(await latencyOptimum(burst, { ...options, workers: 2 })).toMatchObject(shortest);
    expect(await latencyOptimum(burst, { ...options, slots: 2 })).toMatchObject(shortest);
    expect(await latencyOptimum(traceOf([]), options)).toMatchObject({ total: 0, optimal: true });
  });

  test("where the search gives up there is a bound", async () => {
    let open = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { trace, options } = randomInstance(seed, 5, 3);
      const { total } = await latencyOptimum(trace, { ...options, preemption: "resume" });
      for (const nodes of [1, 10, 100]) {
        const found = await latencyOptimum(trace, { ...options, preemption: "resume", nodes });
        expect(found.bound, `seed ${seed}`).toBeLessThanOrEqual(total + 1e-9);
        expect(found.total, `seed ${seed}`).toBeGreaterThanOrEqual(total - 1e-9);
        if (!found.optimal) open++;
      }
    }
    expect(open).toBeGreaterThan(20);
  });
});

describe("the least total latency", () => {
  test("is that of all starts tried, for 2,500 small traces, whatever the prices", async () => {
    let waits = 0;
    for (let seed = 0; seed < 2500; seed++) {
      const { trace, options, prices } = randomInstance(seed, 5);
      const found = await latencyOptimum(trace, { ...options, ...(seed % 2 === 0 && { prices }) });
      const least = bruteForce(trace, options);
      expect(found.total, `seed ${seed}`).toBeCloseTo(least, 9);
      expect(found, `seed ${seed}`).toMatchObject({ optimal: true, bound: found.total });
      expect(faultOf(trace, options, found), `seed ${seed}`).toBeUndefined();
      expect(found.total, `seed ${seed}`).toBeCloseTo(latencyOf(trace, found.start), 9);
      if (found.start.some((k, i) => k > Math.ceil(trace.arrival[i]))) waits++;
    }
    expect(waits).toBeGreaterThan(1000);
  });

  test("is the integer program's", async () => {
    for (let seed = 0; seed < 4; seed++) {
      const { trace, options } = randomInstance(seed, 8, 6);
      const { total } = await latencyOptimum(trace, { kvTokens: options.kvTokens });
      expect(total, `seed ${seed}`).toBeCloseTo(
        hindsightOptimum({ trace, options: { kvTokens: options.kvTokens, workers: 1 } }),
        4,
      );
    }
  });

  test("by hand: alike and alone, one after the other; who comes later waits for who runs", async () => {
    // Each holds 4 tokens at least, so that two never fit into 7.
    const alike = traceOf([
      [3, 3],
      [3, 3],
      [3, 3],
    ]);
    expect(await latencyOptimum(alike, { kvTokens: 7 })).toMatchObject({ total: 3 + 6 + 9, optimal: true });
    expect(await latencyOptimum(alike, { kvTokens: 7, workers: 3 })).toMatchObject({ total: 9 });
    expect(await latencyOptimum(alike, { kvTokens: 100, slots: 2 })).toMatchObject({ total: 3 + 3 + 6 });
    const late = traceOf([
      [3, 4, 0],
      [3, 1, 0.5],
    ]);
    const { total, start } = await latencyOptimum(late, { kvTokens: 7 });
    // The short one, from round 1, would make the long one wait until 2: 1.5 + 6 against 4 + 4.5.
    expect(total).toBe(7.5);
    expect([...start]).toEqual([2, 1]);
    expect(await latencyOptimum(traceOf([]), { kvTokens: 7 })).toMatchObject({ total: 0, optimal: true });
  });

  test("where the search gives up there is a bound", async () => {
    let open = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { trace, options } = randomInstance(seed, 7, 5);
      const { total } = await latencyOptimum(trace, options);
      for (const nodes of [1, 10, 100]) {
        const found = await latencyOptimum(trace, { ...options, nodes });
        expect(faultOf(trace, options, found)).toBeUndefined();
        expect(found.nodes).toBeLessThanOrEqual(nodes);
        expect(found.bound, `seed ${seed}`).toBeLessThanOrEqual(total + 1e-9);
        expect(found.total, `seed ${seed}`).toBeGreaterThanOrEqual(total - 1e-9);
        expect(found.optimal).toBe(found.bound >= found.total);
        if (!found.optimal) open++;
      }
    }
    expect(open).toBeGreaterThan(20);
  });

  test("a signal ends it", async () => {
    const rows = Array.from({ length: 24 }, (_, i) => [1 + (i % 5), 1 + ((7 * i) % 11)] as const);
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 60);
    await expect(latencyOptimum(traceOf(rows), { kvTokens: 20, signal: abort.signal })).rejects.toThrow("enough");
  });

  test("refuses what it does not handle", async () => {
    const trace = traceOf([[3, 3]]);
    const refuse = (options: unknown, message: RegExp, of = trace) =>
      expect(latencyOptimum(of, options as BoundOptions)).rejects.toThrow(message);
    await expect(latencyOptimum(trace, { kvTokens: 5 })).rejects.toThrow(ArgumentError);
    const long = traceOf(Array.from({ length: 6 }, () => [1, 999] as const));
    await refuse({ kvTokens: 1000, preemption: "resume" }, /^trace: expected a product of \(output \+ 1\)/, long);
    await refuse({ kvTokens: 9, preemption: "pause" }, /^preemption: expected "restart" or "resume"/);
    await refuse({ kvTokens: 9 }, /^trace.requests: expected at most 30/, traceOf(Array(31).fill([1, 1])));
    await refuse({ kvTokens: 9, nodes: 0 }, /^nodes: expected an integer >= 1, got 0/);
    await refuse({ kvTokens: 9, node: 5 }, /Did you mean nodes/);
    await refuse({ kvTokens: 9, signal: 1 }, /^signal: expected an AbortSignal/);
    await refuse({ kvTokens: 9, prices: { kv: [0, -1] } }, /^prices.kv\[1\]: expected a number >= 0, got -1/);
    await refuse({ kvTokens: 9, prices: { kv: [] } }, /^prices.kv: expected T \+ 1 >= 1 values, got 0/);
    await refuse({ kvTokens: 9, prices: { kv: [0, 1], slot: [0] } }, /^prices.slot: expected as many values/);
    const apart = traceOf([
      [1, 1, 0],
      [1, 1, 1e6],
    ]);
    await refuse({ kvTokens: 9 }, /^trace: expected starts that lie before round 2\^20 \/ 2/, apart);
    await refuse(
      { kvTokens: 9 },
      /^trace, request 0: expected arrivals and outputs that add up to 2\^28/,
      traceOf([[1, 1, 1e9]]),
    );
  });
});
