import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import {
  certify,
  createSolver,
  DeviceError,
  type LoadBalanceProblem,
  LoadError,
  Placement,
  requestDevice,
  solveLoadBalanceLP,
  topologies,
} from "../../src/index.ts";
import { withLimit } from "../helpers/devices.ts";
import { countCalls } from "../helpers/gpu_calls.ts";

let device: GPUDevice;
let asked: ReturnType<typeof countCalls>;
const uncaptured: string[] = [];
beforeAll(async () => {
  device = (await requestDevice()).device;
  device.addEventListener("uncapturederror", ({ error }) => uncaptured.push(error.message));
  asked = countCalls(device);
});
afterAll(() => expect(uncaptured).toEqual([]));

const placement = Placement.fromPhysicalToLogical([0, 1, 2, 3, 0, 2, 1, 3], { gpus: 4 });
const graph = { gpus: 4, edges: topologies.edges(topologies.ring(4)) };

const upTo = (random: Random, most: number, length: number) => Int32Array.from({ length }, () => random.below(most));
const expertLoads = (seed: number, batch: number) => ({ expertLoad: upTo(seeded(seed), 1000, batch * 4) });
function edgeLoads(seed: number, batch: number) {
  const random = seeded(seed);
  return { load: upTo(random, 1000, batch * 4), capacity: upTo(random, 300, batch * 4) };
}

/** All that a solve asks of the GPU, of which one submit and one map, once its pipeline and buffers are there. */
const oneSolve = {
  createCommandEncoder: 1,
  "queue.writeBuffer": expect.any(Number),
  "queue.submit": 1,
  "buffer.mapAsync": 1,
  "buffer.getMappedRange": 1,
  "buffer.unmap": 1,
};

describe("a solver on WebGPU", () => {
  test("compiles once, allocates once: a second solve of a shape is one submit and one map", async () => {
    const options = { backend: "webgpu", device } as const;
    const replica = await createSolver(placement, options);
    const edge = await createSolver(graph, options);
    await replica.solve(expertLoads(1, 8));
    await edge.solve(edgeLoads(2, 8));
    asked();
    for (const tokens of ["integer", "fractional"] as const) {
      for (const batch of [8, 1, 7]) {
        await replica.solve(expertLoads(3, batch), { tokens });
        expect(asked()).toEqual(oneSolve);
        await edge.solve(edgeLoads(4, batch), { tokens });
        expect(asked()).toEqual(oneSolve);
      }
    }
    replica.destroy();
    edge.destroy();
  });

  test("uploads loads, and the size of a batch where the last one had another", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    await solver.solve(expertLoads(8, 3));
    asked();
    for (const [batch, uploads] of [
      [3, 1],
      [2, 2],
      [2, 1],
      [3, 2],
    ]) {
      await solver.solve(expertLoads(9, batch));
      expect(asked(), `${batch} LPs`).toEqual({ ...oneSolve, "queue.writeBuffer": uploads });
    }
    solver.destroy();
  });

  test("shares its pipeline with every solver of the shape", async () => {
    const options = { backend: "webgpu", device } as const;
    await solveLoadBalanceLP({ placement, ...expertLoads(5, 1) }, options);
    asked();
    await solveLoadBalanceLP({ placement, ...expertLoads(6, 2) }, options);
    const moved = Placement.fromPhysicalToLogical([3, 1, 2, 0, 3, 2, 1, 0], { gpus: 4 });
    await solveLoadBalanceLP({ placement: moved, ...expertLoads(7, 2) }, options);
    const { createShaderModule, createComputePipelineAsync } = asked();
    expect([createShaderModule, createComputePipelineAsync]).toEqual([undefined, undefined]);
  });

  test("takes batches of any size in any order, and frees every buffer it made", async () => {
    asked();
    const gpu = await createSolver(placement, { backend: "webgpu", device });
    const cpu = await createSolver(placement, { backend: "cpu" });
    for (const [seed, batch] of [2, 300, 1, 299, 301, 5].entries()) {
      const loads = expertLoads(seed, batch);
      const solution = await gpu.solve(loads);
      expect(solution.maxLoad).toEqual((await cpu.solve(loads)).maxLoad);
      expect(certify({ placement, ...loads }, solution).every(({ verdict }) => verdict === "optimal")).toBe(true);
    }
    gpu.destroy();
    await new Promise(setImmediate); // it may wait for solves under way
    const { createBuffer, "buffer.destroy": destroyed } = asked();
    expect(destroyed).toBe(createBuffer);
  });

  test("a batch longer than a binding goes in pieces, each field of each LP as of one piece", async () => {
    const options = { backend: "webgpu", kernel: "lane", device } as const;
    const whole = await createSolver(placement, options);
    const rows = 7 * 4 * placement.physicalExperts; // bytes of the widest binding, for 7 LPs
    const limited = () => createSolver(placement, options);
    const pieces = await withLimit(device, "maxStorageBufferBindingSize", rows, limited);

    const batch = 23;
    const loads = { ...expertLoads(8, batch), baseLoad: upTo(seeded(9), 500, batch * 4) };
    for (const tokens of ["integer", "fractional"] as const) {
      const expected = await whole.solve(loads, { tokens });
      asked();
      expect(await pieces.solve(loads, { tokens })).toEqual(expected);
      expect(asked()["queue.submit"]).toBe(4);
      // In every piece there is something to lose.
      for (let first = 0; first < batch; first += 7) {
        const piece = (values: Int32Array) => values.subarray(first, first + 7);
        expect(Math.max(...piece(expected.iterations))).toBeGreaterThan(0);
        if (tokens === "fractional") expect(Math.max(...piece(expected.moves))).toBeGreaterThan(0);
      }
    }
    whole.destroy();
    pieces.destroy();
  });

  test("fractions of any magnitude are solved by the kernel itself, to a part in 10^8 of their total", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", kernel: "lane", device });
    const alone = [0, 1, 2, 3].map((hot) => [0, 1, 2, 3].map((e) => (e === hot ? 0.75 : 0)));
    const random = seeded(10);
    const others = Array.from({ length: 20 }, () => Array.from({ length: 4 }, () => random.next() ** 4));
    const rows = [...alone, ...others];
    for (const scale of [1e-9, 1, 1e12]) {
      for (const withBase of [false, true]) {
        const expertLoad = rows.flat().map((tokens) => tokens * scale);
        const baseLoad = withBase
          ? rows.flatMap(() => [0.3, -0.2, 0.1, 0.5].map((tokens) => tokens * scale))
          : undefined;
        const solution = await solver.solve({ expertLoad, baseLoad });
        expect([solution.tokens, solution.finishedOnCpu]).toEqual(["fractional", 0]);
        const verdicts = certify({ placement, expertLoad, baseLoad }, solution).map(({ verdict }) => verdict);
        expect(new Set(verdicts)).toEqual(new Set(["optimal"]));
        for (const [lp, gap] of solution.gap.entries()) {
          const magnitudes = [...rows[lp], ...(withBase ? [0.3, 0.2, 0.1, 0.5] : [])];
          const total = magnitudes.reduce((a, b) => a + b) * scale;
          expect(gap * solution.maxLoad[lp], `LP ${lp} times ${scale}`).toBeLessThanOrEqual(1e-8 * total);
        }
      }
    }
    solver.destroy();
  });

  test("a batch longer than a dispatch goes in pieces, between which it can be stopped", async () => {
    const loads = { load: new Int32Array(65537).map((_, lp) => lp % 1000), capacity: [] };
    const solver = await createSolver({ gpus: 1, edges: [] }, { backend: "webgpu", device });
    asked();
    const { maxLoad } = await solver.solve(loads);
    expect(maxLoad).toEqual(Float64Array.from(loads.load));
    expect(asked()["queue.submit"]).toBe(2);

    // Aborted as soon as it is looked at once the first piece is submitted, and not after so many milliseconds.
    const controller = new AbortController();
    const { signal } = controller;
    let submitted = 0;
    const count = () => {
      submitted += asked()["queue.submit"] ?? 0;
      return submitted;
    };
    const look = signal.throwIfAborted.bind(signal);
    signal.throwIfAborted = () => {
      if (count() > 0) controller.abort("enough");
      look();
    };
    await expect(solver.solve(loads, { signal })).rejects.toBe("enough");
    expect(count()).toBe(1);
    expect((await solver.solve({ load: [3], capacity: [] })).maxLoad).toEqual(Float64Array.of(3));
    solver.destroy();
  });
});

describe.each(["webgpu", "cpu"] as const)("a solver on backend %s", (backend) => {
  test("answers overlapping calls, in order, each for itself", async () => {
    const solver = await createSolver(placement, { backend, device });
    const settled: number[] = [];
    const calls = [40, 1, 7, 200, 3, 40].map((batch, i) => {
      const tokens = i % 2 === 0 ? ("integer" as const) : ("fractional" as const);
      const loads = expertLoads(10 + i, batch);
      const answer = solver.solve(loads, { tokens }).finally(() => settled.push(i));
      return { loads, tokens, answer };
    });
    const bad = solver.solve({ expertLoad: [1, 2, 3, -4] });
    const stopped = solver.solve(expertLoads(9, 1), { signal: AbortSignal.abort("never mind") });
    const last = solver.solve({ expertLoad: [40, 0, 0, 0] });
    await expect(bad).rejects.toThrow(LoadError);
    await expect(stopped).rejects.toBe("never mind");
    for (const { loads, tokens, answer } of calls) {
      const alone = await solveLoadBalanceLP({ placement, ...loads }, { backend, device, tokens });
      expect(await answer).toEqual(alone);
    }
    expect(settled).toEqual([0, 1, 2, 3, 4, 5]);
    expect((await last).maxLoad).toEqual(Float64Array.of(20));
    solver.destroy();
  });

  test("reads its inputs at once: arrays may be reused while it solves", async () => {
    const expected = await solveLoadBalanceLP({ placement, ...expertLoads(20, 50) }, { backend, device });
    const solver = await createSolver(placement, { backend, device });
    const { expertLoad } = expertLoads(20, 50);
    const answer = solver.solve({ expertLoad });
    expertLoad.fill(1);
    expect(await answer).toEqual(expected);
    const { expertLoad: again } = expertLoads(20, 50);
    const later = solver.solve({ expertLoad: again });
    await Promise.resolve();
    again.fill(-1);
    expect(await later).toEqual(expected);
    solver.destroy();
  });

  test("keeps the graph and the speeds it was made with, whatever becomes of them", async () => {
    const problem = { ...structuredClone(graph), ...edgeLoads(21, 5), speed: [1, 2, 1, 3] };
    const expected = await solveLoadBalanceLP(problem, { backend, device });
    const { gpus, edges, speed, ...loads } = problem;
    const solver = await createSolver({ gpus, edges }, { backend, device, speed });
    edges[0].reverse();
    edges.pop();
    speed.fill(9);
    expect(await solver.solve(loads)).toEqual(expected);
    solver.destroy();
  });

  test.each<LoadBalanceProblem>([
    { ...graph, ...edgeLoads(22, 5), speed: [1, 2, 1, 3] },
    { placement, ...expertLoads(22, 5), speed: [1, 2, 1, 3] },
  ])("a whole problem may stand for its graph or placement: its speeds count (%#)", async (problem) => {
    const solver = await createSolver(problem, { backend, device });
    const solution = await solver.solve(problem);
    expect(solution).toEqual(await solveLoadBalanceLP(problem, { backend, device }));
    expect(certify(problem, solution).every(({ verdict }) => verdict === "optimal")).toBe(true);
    solver.destroy();
  });

  test.each(["before one begins", "while one is on the GPU"])(
    "once destroyed, %s, says so; solves under way are answered or refused, and nothing else",
    async (moment) => {
      const solver = await createSolver(placement, { backend, device });
      await solver.solve(expertLoads(22, 1)); // compiled: from here on a solve is on the GPU at once
      const loads = expertLoads(23, 500);
      const underWay = [solver.solve(loads), solver.solve(loads)];
      for (const answer of underWay) answer.catch(() => {}); // they are awaited below
      if (moment === "while one is on the GPU") await new Promise((resume) => setTimeout(resume));
      solver.destroy();
      const message = "This solver was destroyed. Create a new one.";
      await expect(solver.solve(loads)).rejects.toThrow(new DeviceError(message));
      const expected = await solveLoadBalanceLP({ placement, ...loads }, { backend, device });
      for (const answer of underWay) {
        const outcome = await answer.catch((error) => error);
        expect(outcome).toEqual(outcome instanceof Error ? new DeviceError(message) : expected);
      }
      await expect(solver.solve(loads, { tokens: "fractional" })).rejects.toThrow(new DeviceError(message));
      solver.destroy(); // again
      // The device is the caller's still.
      expect(await solveLoadBalanceLP({ placement, ...loads }, { backend, device })).toEqual(expected);
    },
  );

  test("an aborted signal stops a solve before anything is asked of the GPU", async () => {
    const solver = await createSolver(placement, { backend, device });
    asked();
    const reason = new Error("changed my mind");
    await expect(solver.solve(expertLoads(24, 3), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(solver.solve(expertLoads(24, 3), { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
    expect(asked()).toEqual({});
    const { signal } = new AbortController();
    expect((await solver.solve(expertLoads(24, 3), { signal })).batch).toBe(3);
    solver.destroy();
  });
});
