import { describe, expect, test } from "vitest";
import { interiorPointTwin, yalps } from "../../bench/baselines/general.ts";
import { highs } from "../../bench/baselines/highs.ts";
import { holdTo } from "../../bench/budget.ts";
import { exportedC, gccIsHere } from "../../bench/exported.ts";
import { Bench } from "../../bench/harness.ts";
import { coresMs } from "../../bench/host_node.ts";
import { exactAlone, simdAlone } from "../../bench/kernels_alone.ts";
import { judge, type Method, perCore } from "../../bench/method.ts";
import { evenkeel, evenkeelSolve, evenkeelSolveExact } from "../../bench/ours.ts";
import type { Row } from "../../bench/row.ts";
import { exponent } from "../../bench/scaling_gpus.ts";
import { efforts, quantiles, time } from "../../bench/timing.ts";
import { firstOf, type Workload } from "../../bench/workloads.ts";
import { requestDevice } from "../../src/index.ts";
import { graphs, models } from "./workloads.ts";

const { device } = await requestDevice();

/** Everything on each expert's first replica. */
function unbalanced(work: Workload, change: (x: Float64Array) => void = () => {}): Method {
  const answer = (lp: number) => {
    const { experts, replicaStart, replicaGpu } = work.layers[lp % work.layers.length].topology;
    const x = new Float64Array(replicaGpu.length);
    for (let e = 0; e < experts; e++) x[replicaStart[e]] = work.loads.expertLoad[lp * experts + e];
    change(x);
    return x;
  };
  const prepared = { run() {}, answer: () => answer, destroy() {} };
  return { name: "unbalanced", tokens: "integer", exact: true, prepare: async () => prepared };
}

describe("a method is checked before it is timed", () => {
  const add = (x: Float64Array, tokens: readonly number[]) =>
    tokens.forEach((amount, r) => {
      x[r] += amount;
    });
  test.each([
    ["a token too many", [1]],
    ["NaN", [Number.NaN]],
    ["half a token here and there", [-0.5, 0.5]],
    ["a negative quota", [1, -1]],
  ])("%s is no answer", async (_, tokens) => {
    const bench = new Bench(device, true);
    await expect(bench.compare("q", graphs.cube, [unbalanced(graphs.cube, (x) => add(x, tokens))])).rejects.toThrow(
      /LP 0/,
    );
    expect(bench.rows).toEqual([]);
  });

  test("a method that claims to be exact and is not stops the run", async () => {
    const bench = new Bench(device, true);
    await expect(bench.compare("q", graphs.cube, [unbalanced(graphs.cube)])).rejects.toThrow(/optimal, worst gap/);
  });
});

describe("exact methods", () => {
  const methods = [
    evenkeel(device, "lane"),
    evenkeel(device, "specialised"),
    evenkeelSolve("cpu", {}),
    evenkeelSolveExact,
    simdAlone,
    exactAlone,
    evenkeelSolve("webgpu", { device, kernel: "lane", tokens: "fractional" }),
    interiorPointTwin,
    yalps,
    highs,
  ];
  const works = [graphs.cube, models["EP8 R16"]].map((work) => firstOf(work, 12));

  test.each(methods.map((method) => [method.name, method] as const))("%s closes every gap", async (_, method) => {
    for (const work of works) {
      const prepared = await method.prepare(work);
      await prepared.run();
      expect(judge(work, method.tokens, prepared.answer()).optimalShare, work.name).toBe(1);
      prepared.destroy();
    }
  });
});

test.skipIf(!gccIsHere)("exported C closes every gap", async () => {
  const work = models["EP8 R16"];
  const prepared = await exportedC.prepare(work);
  await prepared.run();
  const spent = prepared.clock!();
  await prepared.run();
  expect(prepared.clock!()).toBeGreaterThan(spent);
  expect(judge(work, "integer", prepared.answer()).optimalShare).toBe(1);
  prepared.destroy();
});

test("without WebAssembly the exact solver answers, and WebAssembly is there afterwards", async () => {
  const prepared = await evenkeelSolveExact.prepare(graphs.cube);
  expect(typeof WebAssembly.compile).toBe("function");
  prepared.destroy();
  const refused = { ...graphs.cube, layers: [{ ...graphs.cube.layers[0], form: { gpus: 0, edges: [] } }] };
  await expect(evenkeelSolveExact.prepare(refused)).rejects.toThrow();
  expect(typeof WebAssembly.compile).toBe("function");
});

describe("rows", () => {
  test("carry what the report promises", async () => {
    const bench = new Bench(device, true);
    const [row] = await bench.compare("q", firstOf(graphs.cube, 3), [evenkeelSolve("cpu", {})]);
    expect(row).toMatchObject({ question: "q", topology: "cube 8x2", gpus: 8, experts: 16, replicas: 32, batch: 3 });
    expect(row).toMatchObject({ gapMean: 0, gapMax: 0, optimalShare: 1, usPerLp: row.medianUs / 3 });
    expect(row.p05Us).toBeLessThanOrEqual(row.medianUs);
    expect(row.medianUs).toBeLessThanOrEqual(row.p95Us);
    bench.drop([row]);
    expect(bench.rows).toEqual([]);
  });

  test("of methods and baselines that take turns come from alternate calls", async () => {
    const order: string[] = [];
    const own = evenkeelSolve("cpu", {});
    const method: Method = {
      ...own,
      async prepare(work) {
        const prepared = await own.prepare(work);
        const run = () => {
          order.push("method");
          return prepared.run();
        };
        return { ...prepared, run };
      },
    };
    const bench = new Bench(device, true);
    const baseline = { run: () => void order.push("baseline") };
    const rows = await bench.compareInTurn("q", firstOf(graphs.cube, 3), [method], { baseline });
    expect(rows).toEqual(bench.rows);
    expect(rows.map(({ solver, optimalShare }) => [solver, optimalShare])).toEqual([
      ["baseline", null],
      [method.name, 1],
    ]);
    const { samples } = efforts.quick;
    const turns = Array.from({ length: samples }, () => ["baseline", "method"]).flat();
    expect(order.slice(-2 * samples)).toEqual(turns);
  });

  test("are medians of calls timed one by one, within the budget", async () => {
    let calls = 0;
    const wait = async () => {
      calls++;
      await new Promise((resume) => setTimeout(resume, 30));
    };
    const effort = { ...efforts.quick, budgetMs: 60 };
    const { medianUs, p05Us } = await time({ run: wait }, effort);
    expect(p05Us).toBeGreaterThan(25_000);
    expect(medianUs).toBeGreaterThan(25_000);
    expect(calls).toBeLessThan(10);
    expect(quantiles([3, 1, 2])(0.5)).toBe(2);
  });

  test("are of a method's own clock, where it has one", async () => {
    let ms = 0;
    const run = () => {
      ms += 3;
    };
    const { medianUs } = await time({ run, clock: () => ms }, efforts.quick);
    expect(medianUs).toBeCloseTo(3000, 6);
    const core = await perCore(simdAlone, coresMs).prepare(graphs.cube);
    const before = core.clock!();
    for (const begun = performance.now(); performance.now() - begun < 50; ) core.run();
    expect(core.clock!() - before).toBeGreaterThan(5);
  });

  test("hold single solves to a budget of GPU time", () => {
    const row = { question: "solve-latency", batch: 1, solver: "evenkeel lane", timestampUs: 120 } as Row;
    const rows = [row, { ...row, batch: 2 }, { ...row, solver: "bare round trip" }, { ...row, timestampUs: 80 }];
    expect(holdTo(100, rows, false)).toEqual({ says: "over", rows: [row] });
    expect(holdTo(120, rows, false)).toEqual({ says: "within", rows: [row, rows[3]] });
    expect(holdTo(100, rows, true)).toEqual({ says: "no hardware" });
    expect(holdTo(100, [rows[1], rows[2]], false)).toEqual({ says: "no timestamps" });
    expect(holdTo(100, [rows[1]], false)).toEqual({ says: "not asked" });
  });

  test("fit a power law", () => {
    const rows = [8, 16, 32].map((gpus) => ({ gpus, usPerLp: 3 * gpus ** 1.5 }));
    expect(exponent(rows)).toBeCloseTo(1.5, 12);
  });
});
