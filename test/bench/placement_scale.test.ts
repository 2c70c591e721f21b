/** The question of placements: its loads, what it says of steps held out, and that answers are checked before they are timed. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Drift, driftingLoads } from "../../bench/drifting_loads.ts";
import { Bench } from "../../bench/harness.ts";
import { heldOut, requireLegal } from "../../bench/held_out.ts";
import { placementCharts } from "../../bench/placement_plots.ts";
import { comparePlacements, onMoreThreads } from "../../bench/placement_scale.ts";
import type { Row } from "../../bench/row.ts";
import { type OptimizedPlacements, Placement, requestDevice } from "../../src/index.ts";

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe("drifting loads", () => {
  const drift: Drift = { steps: 400, layers: 2, experts: 64, assignments: 1 << 20, fluctuation: 0.25 };
  const rows = (of: Drift, seed = 3) => {
    const loads = driftingLoads(of, seed);
    return Array.from({ length: of.steps }, (_, t) => {
      const at = t * of.layers * of.experts;
      return Array.from(loads.subarray(at, at + of.experts)); // of the first layer
    });
  };
  /** [E][steps] log of the share over its mean in time. */
  const strays = (of: Drift) =>
    Array.from({ length: of.experts }, (_, e) => {
      const log = rows(of).map((row) => Math.log(row[e]));
      const middle = mean(log);
      return log.map((value) => value - middle);
    });

  test("follow from the seed, and each layer has its assignments", () => {
    expect(driftingLoads(drift, 3)).toEqual(driftingLoads(drift, 3));
    expect(driftingLoads(drift, 4)).not.toEqual(driftingLoads(drift, 3));
    for (const row of rows(drift)) {
      const total = row.reduce((a, b) => a + b);
      expect(Math.abs(total - drift.assignments)).toBeLessThanOrEqual(drift.experts / 2); // rounding, each by a half
    }
  });

  test("stray as far as they are told, and little from one step to the next", () => {
    const all = strays(drift);
    const variance = mean(all.flat().map((stray) => stray ** 2));
    const lagged = mean(all.flatMap((own) => own.slice(1).map((stray, t) => stray * own[t])));
    // 400 steps of correlation 0.97 are worth six; 64 experts make that some hundreds of samples.
    expect(Math.sqrt(variance)).toBeGreaterThan(0.8 * drift.fluctuation);
    expect(Math.sqrt(variance)).toBeLessThan(1.1 * drift.fluctuation);
    expect(lagged / variance).toBeGreaterThan(0.94);
    expect(lagged / variance).toBeLessThan(0.99);
  });

  test("Zipf: the hottest has twice the next, in random order", () => {
    const still = { ...drift, fluctuation: 0, zipf: 1 };
    const [row] = rows(still);
    const sorted = row.toSorted((a, b) => b - a);
    for (const [rank, tokens] of sorted.entries()) expect(Math.abs(tokens * (rank + 1) - sorted[0])).toBeLessThan(64);
    expect(row).not.toEqual(sorted);
  });

  test.each([2048, 1 << 14])("drawn: variance and mean of a load are the same, %i assignments", (assignments) => {
    const drawn = rows({ ...drift, steps: 2000, assignments, fluctuation: 0, sampled: true });
    const ratios = drawn[0].map((_, e) => {
      const own = drawn.map((row) => row[e]);
      const middle = mean(own);
      return mean(own.map((tokens) => (tokens - middle) ** 2)) / middle;
    });
    expect(Math.abs(mean(ratios) - 1)).toBeLessThan(0.02); // standard error: sqrt(2 / 2000 / 64)
  });
});

describe("steps held out", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2], { gpus: 2 });

  test("an even split of 8 and 2 beside nothing is 6 to 4, the LP's is 5 to 5", async () => {
    const steps = [[[8, 2, 0]]];
    expect(await heldOut([placement], steps, "even")).toEqual({ mean: 1.2, p95: 1.2 });
    expect(await heldOut([placement], steps, "lp")).toEqual({ mean: 1, p95: 1 });
  });

  test("are of all layers", async () => {
    const steps = [[[8, 2, 0]], [[0, 3, 1]]];
    expect(await heldOut([placement, placement], steps, "lp")).toEqual({ mean: 1.25, p95: 1.5 });
  });

  test.each([
    ["a GPU too many", [0, 1, 2, 3, 0, 1], 3, /3 GPUs, 4 experts and 6 slots/],
    ["a lost expert", [0, 1, 2, 0, 1, 2], 2, /Expert 3 has no slot/],
    ["an expert twice on a GPU", [0, 0, 1, 2, 3, 1], 2, /Twice expert 0 on GPU 0/],
    ["an empty slot", [0, 1, -1, 2, 3, 0], 2, /Slot 2 is empty/],
  ])("%s is no legal placement", (_, map, gpus, message) => {
    const given = Placement.fromPhysicalToLogical(map, { gpus, logicalExperts: 4 });
    expect(() => requireLegal(given, { gpus: 2, experts: 4, redundant: 2 })).toThrow(message);
  });
});

describe("threads", () => {
  const found = (threads: number, map: number[], stoppedBy = "search") => {
    const placements = [Placement.fromPhysicalToLogical(map, { gpus: 2 })];
    return { placements, evaluations: 7, stoppedBy, crew: { threads, why: "no worker" } } as OptimizedPlacements;
  };
  const alone = found(1, [0, 1, 0, 2]);
  const tried = (one: OptimizedPlacements) => onMoreThreads(async () => one, 2, alone);

  test("another answer stops the run, unless time ran out", async () => {
    await expect(tried(found(2, [0, 1, 1, 2]))).rejects.toThrow("2 threads have another answer than one.");
    expect((await tried(found(2, [0, 1, 1, 2], "budget"))).found).toBeDefined();
    expect((await tried(found(2, [0, 1, 0, 2]))).found).toBeDefined();
  });

  test("where none start, it is said why", async () => {
    expect(await tried(found(1, [0, 1, 0, 2]))).toEqual({ why: "no worker" });
    expect((await onMoreThreads(async () => alone, 1, alone)).why).toMatch(/one core/);
  });

  test("start in a program that scripts/run.mjs runs, and find the same", () => {
    const cwd = fileURLToPath(new URL("../../", import.meta.url));
    const args = ["scripts/run.mjs", "test/bench/two_threads.ts"];
    expect(execFileSync(process.execPath, args, { cwd, encoding: "utf8" })).toBe("2\n");
  });
});

test("rows and plots", async () => {
  const { device } = await requestDevice();
  const bench = new Bench(device, true);
  const size = { gpus: 12, experts: 48, redundant: 12, fluctuation: 0.3, assignments: 65_536 };
  await comparePlacements(bench, size, 2, 40, 2);
  const { rows, notes } = bench;
  const [even, balanced, planned] = rows;
  // From the sources there is no worker beside the code.
  expect(rows.map(({ solver }) => solver)).toEqual(["EPLB, split evenly", "EPLB + LP", "evenkeel plan + LP, 1 thread"]);
  expect(planned).toMatchObject({ question: "placement-scale", topology: "EP12 R12 E48, fluctuation 0.3", gpus: 12 });
  expect(planned).toMatchObject({ experts: 48, replicas: 60, batch: 2, usPerLp: planned.medianUs / 2 });
  expect(planned.placed).toMatchObject({ loads: "fluctuation 0.3", stoppedBy: "search", threads: 1 });
  expect(planned.placed!.why).toMatch(/worker\.js is not there/);
  expect(planned.placed!.moves).toBeGreaterThan(0);
  expect(balanced.placed!.imbalance).toBeLessThan(even.placed!.imbalance);
  expect(planned.placed!.imbalance).toBeLessThan(balanced.placed!.imbalance);
  expect(planned.placed!.p95).toBeGreaterThanOrEqual(planned.placed!.imbalance);
  expect(notes[1]).toMatch(/one thread only: .*worker\.js is not there/);

  expect(placementCharts(rows)).toEqual([]); // of one size there is nothing to draw
  const wider = rows.map((row): Row => ({ ...row, gpus: 16, experts: 64, replicas: 80 }));
  expect(captions([...rows, ...wider])).toEqual([
    "Imbalance of steps held out against GPUs: fluctuation 0.3, a redundant expert per GPU.",
    "Seconds per layer of the search against GPUs: fluctuation 0.3, a redundant expert per GPU.",
  ]);
  const richer = rows.map((row): Row => ({ ...row, replicas: 72 }));
  expect(captions([...rows, ...richer])).toEqual([
    "Imbalance of steps held out against redundant experts: fluctuation 0.3, EP12 E48.",
    "Seconds per layer of the search against redundant experts: fluctuation 0.3, EP12 E48.",
  ]);
});

const captions = (rows: readonly Row[]) => placementCharts(rows).map(({ caption }) => caption);
