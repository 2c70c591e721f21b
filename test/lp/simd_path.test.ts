/** When the CPU goes over to its program, what it says of that, and that it goes on where there can be none. */
import { execFileSync } from "node:child_process";
import { createContext, runInContext } from "node:vm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  certify,
  createBalancer,
  createSolver,
  type KernelPlan,
  solveLoadBalanceLP,
  topologies,
} from "../../src/index.ts";
import { families, randomPlacement } from "../helpers/instances.ts";

const random = seeded(201);
const placement = randomPlacement(random, 8, 6, 16, 4);
const drawn = (batch: number) => ({
  expertLoad: Int32Array.from(
    Array.from({ length: batch }, () => families.lognormal(random, placement.logicalExperts, 8)).flat(),
  ),
});
const EXACT: KernelPlan = { kernel: "cpu", reason: "The caller asked for the CPU." };
const compiled = {
  kernel: "simd",
  reason: expect.stringMatching(/^Compiled for this topology: \d+ steps for four LPs\.$/),
};
const exactly = { backend: "cpu" } as const;

afterEach(() => vi.unstubAllGlobals());

describe("a solver on the CPU", () => {
  test("begins with the exact solver, and goes over once it is used again: the same optima, certified", async () => {
    const solver = await createSolver(placement, exactly);
    const loads = drawn(300);
    const first = await solver.solve(loads);
    expect([solver.plan, first.iterations.some((sweeps) => sweeps > 0)]).toEqual([EXACT, false]);
    await vi.waitFor(async () => {
      await solver.solve(loads); // nobody asks for `ready`
      expect(solver.plan).toEqual(compiled);
    }, 60_000);
    const again = await solver.solve(loads);
    expect(again.iterations.some((sweeps) => sweeps > 0)).toBe(true);
    expect(again).toMatchObject({ maxLoad: first.maxLoad, status: first.status, backend: "cpu", finishedOnCpu: 0 });
    const verdicts = certify({ placement, ...loads }, again).map(({ verdict }) => verdict);
    expect(new Set(verdicts)).toEqual(new Set(["optimal"]));
    solver.destroy();
  });

  test("goes over in a loop of short calls, which gives nothing else a turn", async () => {
    const solver = await createSolver(placement, exactly);
    const loads = drawn(100);
    const begun = performance.now();
    while (solver.plan.kernel === "cpu" && performance.now() - begun < 20_000) await solver.solve(loads);
    expect(solver.plan).toEqual(compiled);
  });

  test("goes over within a long batch", async () => {
    const loads = drawn(40_000);
    const { iterations, status } = await solveLoadBalanceLP({ placement, ...loads }, exactly);
    expect([iterations[0], iterations.some((sweeps) => sweeps > 0)]).toEqual([0, true]);
    expect(new Set(status)).toEqual(new Set(["optimal"]));
  });

  test("goes over at once where `ready` or the kernel is asked for", async () => {
    const waited = await createSolver(placement, exactly);
    await waited.ready;
    const chosen = await createSolver(placement, { ...exactly, kernel: "simd" });
    expect([waited.plan, chosen.plan]).toEqual([compiled, compiled]);
    const loads = drawn(50);
    expect(await waited.solve(loads)).toEqual(await chosen.solve(loads));
    const auto = await createSolver(placement, { kernel: "simd" });
    expect(auto.plan).toMatchObject({ kernel: "simd" });
    for (const solver of [waited, chosen, auto]) solver.destroy();
  });

  test("solves fractions exactly, whatever it does with whole tokens", async () => {
    const solver = await createSolver(placement, { ...exactly, kernel: "simd" });
    const loads = { expertLoad: Array.from(drawn(40).expertLoad, (tokens) => tokens / 3) };
    expect(await solver.solve(loads)).toEqual(await (await createSolver(placement, exactly)).solve(loads));
  });

  test("finishes what the program gives up: a chain along which tokens would have to move for too many rounds", async () => {
    const gpus = 190;
    const edges = Array.from({ length: gpus - 1 }, (_, g) => [g, g + 1]);
    const capacity = new Int32Array(gpus - 1).fill(2000 * gpus);
    const stays = (g: number) => Math.floor(10_000 * Math.sqrt(g));
    const load = Int32Array.from({ length: gpus }, (_, g) => stays(g) + (g < gpus - 1 ? capacity[g] : 0));
    const problem = { gpus, edges, load, capacity };
    const solver = await createSolver(problem, { ...exactly, kernel: "simd" });
    const solution = await solver.solve(problem);
    expect([solver.plan.kernel, solution.finishedOnCpu, certify(problem, solution)[0].verdict]).toEqual([
      "simd",
      1,
      "optimal",
    ]);
  });

  test("levels what the program answers", async () => {
    const solver = await createSolver(placement, { ...exactly, kernel: "simd" });
    const loads = drawn(200);
    const { gpuLoad } = await solver.solve(loads, { level: true });
    const exact = await createSolver(placement, exactly);
    expect(gpuLoad).toEqual((await exact.solve(loads, { level: true })).gpuLoad);
  });

  test("has no program for time", async () => {
    const cost = { model: "roofline", perExpert: 1, perToken: 0.01 } as const;
    const solver = await createSolver(placement, { ...exactly, cost });
    await solver.ready;
    expect(solver.plan).toEqual({ kernel: "cpu", reason: "There is a cost." });
  });
});

test("the program is no kernel of WebGPU's, and of time", async () => {
  await expect(createSolver(placement, { backend: "webgpu", kernel: "simd" })).rejects.toThrow(
    `kernel: expected one of WebGPU's, since backend is "webgpu", got "simd".`,
  );
  const cost = { model: "roofline", perExpert: 1, perToken: 0.01 } as const;
  await expect(createSolver(placement, { backend: "cpu", kernel: "simd", cost })).rejects.toThrow(
    /^kernel: expected "auto"/,
  );
});

const why = (reason: string) => ({ kernel: "cpu", reason: expect.stringMatching(reason) });

describe("without what it needs the exact solver goes on, and says why", () => {
  test("also where the backend is left to us", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    const solver = await createSolver(placement, { kernel: "simd" });
    expect(solver.plan).toEqual(why("until a GPU has been timed.* No SIMD program: there is no WebAssembly"));
    solver.destroy();
  });

  test("a page or process that may not compile WebAssembly", async () => {
    const context = createContext({}, { codeGeneration: { strings: true, wasm: false } });
    vi.stubGlobal("WebAssembly", runInContext("WebAssembly", context));
    const solver = await createSolver(placement, { ...exactly, kernel: "simd" });
    expect(solver.plan).toEqual(why("^No SIMD program: WebAssembly does not compile here: .*disallowed"));
    expect(new Set((await solver.solve(drawn(20))).status)).toEqual(new Set(["optimal"]));
  });

  test.each([
    ["--jitless", "^No SIMD program: there is no WebAssembly\\.$"],
    ["--no-enable-sse4-1", "SIMD"],
  ])("node %s", (flag, reason) => {
    const program = `
      import { createSolver, topologies } from "./dist/node.js";
      const graph = { gpus: 8, edges: topologies.edges(topologies.cube8()) };
      const solver = await createSolver(graph, { backend: "cpu", kernel: "simd" });
      const { status } = await solver.solve({ load: new Int32Array(8).fill(9), capacity: new Int32Array(16).fill(5) });
      console.log(JSON.stringify({ plan: solver.plan, status }));`;
    const output = execFileSync(process.execPath, [flag, "--input-type=module", "-e", program], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(JSON.parse(output.trim().split("\n").at(-1)!)).toEqual({ plan: why(reason), status: ["optimal"] });
  });

  test("a topology that takes too many steps", async () => {
    const large = randomPlacement(seeded(202), 400, 4, 1200, 5);
    const solver = await createSolver(large, exactly);
    await solver.ready;
    expect(solver.plan).toEqual(why("^No SIMD program: a solve takes more than 32768 steps\\.$"));
  });
});

describe("a balancer", () => {
  const topkIds = (tokens: number) =>
    Int32Array.from({ length: tokens * 2 }, () => random.below(placement.logicalExperts));
  const options = { placement, topK: 2, maxTokens: 500, backend: "cpu" } as const;

  test("takes the program only where it was chosen when it was made, and keeps to it", async () => {
    const [exact, simd] = [await createBalancer(options), await createBalancer({ ...options, kernel: "simd" })];
    expect([exact.plan, simd.plan]).toEqual([EXACT, compiled]);
    for (let batch = 0; batch < 30; batch++) {
      const ids = topkIds(500);
      const [a, b] = [await exact.balance(ids), await simd.balance(ids)];
      expect(b.after.imbalance).toEqual(a.after.imbalance);
      expect([a.status, b.status]).toEqual([["optimal"], ["optimal"]]);
      expect(certify(b.proof(0).problem, b.proof(0).solution)[0].verdict).toBe("optimal");
    }
    const active = [1, 1, 0, 1, 1, 1, 1, 1];
    await Promise.all([exact.setActive(active), simd.setActive(active)]);
    const ids = topkIds(400);
    const [a, b] = [await exact.balance(ids), await simd.balance(ids)];
    expect([b.after.imbalance, b.status, b.lost]).toEqual([a.after.imbalance, a.status, a.lost]);
    expect([exact.plan, simd.plan]).toEqual([EXACT, compiled]);
    for (const balancer of [exact, simd]) balancer.destroy();
  });

  test("refuses kernels that it does not have", async () => {
    const cost = { model: "roofline", perExpert: 1, perToken: 0.01 } as const;
    await expect(createBalancer({ ...options, kernel: "simd", cost })).rejects.toThrow(
      /^kernel: expected "auto" with a cost/,
    );
    await expect(createBalancer({ ...options, kernel: "lane" as "simd" })).rejects.toThrow(
      `kernel: expected "auto" or "simd", got "lane".`,
    );
    await expect(createBalancer({ ...options, backend: "webgpu", kernel: "simd" })).rejects.toThrow(
      `kernel: expected "auto", since backend is "webgpu", got "simd".`,
    );
  });
});

test("edges, too", async () => {
  const graph = { gpus: 16, edges: topologies.edges(topologies.hypercube16()) };
  const solver = await createSolver(graph, { ...exactly, kernel: "simd" });
  const loads = {
    load: Int32Array.from({ length: 100 * 16 }, () => random.below(5000)),
    capacity: Int32Array.from({ length: 100 * graph.edges.length }, () => random.below(300)),
  };
  const solution = await solver.solve(loads);
  expect(solution.maxLoad).toEqual((await solveLoadBalanceLP({ ...graph, ...loads }, exactly)).maxLoad);
  const verdicts = certify({ ...graph, ...loads }, solution).map(({ verdict }) => verdict);
  expect(new Set(verdicts)).toEqual(new Set(["optimal"]));
});
