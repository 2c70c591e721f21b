import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { seeded } from "../src/common/random.ts";
import { sharedDevice } from "../src/gpu/device.ts";
import {
  createSolver,
  DeviceError,
  type KernelChoice,
  LoadError,
  measureImbalance,
  Placement,
  type ReplicaLoads,
  type ReplicaSolution,
  requestDevice,
  solveLoadBalanceLP,
  type TokenMode,
  topologies,
} from "../src/index.ts";
import { countCalls } from "./helpers/gpu_calls.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
process.on("unhandledRejection", note);
afterAll(async () => {
  await new Promise(setImmediate);
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const placement = Placement.fromPhysicalToLogical([0, 1, 2, 3, 0, 2, 1, 3], { gpus: 4 });
const random = seeded(31);
const expertLoads = (batch: number) => ({
  expertLoad: Int32Array.from({ length: batch * 4 }, () => random.below(1000)),
});
const few = expertLoads(10);
const many = expertLoads(5_000);

const ownDevice = async () => (await requestDevice()).device;

/** One solver that must use the device, and one that need not. */
async function solversOn(device: GPUDevice) {
  const webgpu = await createSolver(placement, { backend: "webgpu", device });
  const auto = await createSolver(placement, { backend: "auto", device });
  return { webgpu, auto };
}

const loss = /^The WebGPU device was lost \(destroyed\): .* Create a new solver, or use backend "auto" or "cpu"\.$/;

async function expectLost(answer: Promise<unknown>) {
  const error = await answer.then(
    () => "solved",
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(DeviceError);
  expect(error.message).toMatch(loss);
}

/** The answer is the CPU's own, of its exact solver or its program, in everything but the reason, which tells of the loss. */
async function expectFromCpu(answer: Promise<ReplicaSolution>, loads: ReplicaLoads, tokens?: TokenMode) {
  const { reason, ...solution } = await answer;
  const onCpu = async (kernel: KernelChoice) => {
    const { reason: _, ...expected } = await solveLoadBalanceLP(
      { placement, ...loads },
      { backend: "cpu", kernel, tokens },
    );
    return expected;
  };
  expect([await onCpu("auto"), await onCpu("simd")]).toContainEqual(solution);
  expect(solution).toMatchObject({ backend: "cpu", adapter: undefined });
  expect(reason).toMatch(loss);
}

describe('a device that is lost: "webgpu" says so with the remedy, "auto" answers from the CPU', () => {
  test("before the solver is made", async () => {
    const device = await ownDevice();
    device.destroy();
    const { webgpu, auto } = await solversOn(device);
    await expectLost(webgpu.solve(few));
    await expectFromCpu(auto.solve(few), few);
    await expectLost(solveLoadBalanceLP({ placement, ...few }, { backend: "webgpu", device }));
    await expectFromCpu(solveLoadBalanceLP({ placement, ...few }, { backend: "auto", device }), few);
  });

  test("while the kernel compiles", async () => {
    const device = await ownDevice();
    const asked = countCalls(device);
    const webgpu = solveLoadBalanceLP({ placement, ...few }, { backend: "webgpu", device });
    const auto = solveLoadBalanceLP({ placement, ...few }, { backend: "auto", device });
    webgpu.catch(() => {}); // it is awaited below
    await vi.waitUntil(() => "createComputePipelineAsync" in asked(), { interval: 1 });
    device.destroy();
    await expectLost(webgpu);
    await expectFromCpu(auto, few);
  });

  test("between two solves, for every solve from then on", async () => {
    const device = await ownDevice();
    const { webgpu, auto } = await solversOn(device);
    expect((await webgpu.solve(few)).maxLoad).toEqual((await auto.solve(few)).maxLoad);
    await auto.ready;
    expect(auto.plan.kernel).toBe("specialised");
    device.destroy();
    await device.lost;
    await expectLost(webgpu.solve(few));
    await expectFromCpu(auto.solve(few), few);
    expect(auto.backend).toBe("cpu");
    await expectLost(webgpu.solve(few, { tokens: "fractional" }));
    await expectFromCpu(auto.solve(few, { tokens: "fractional" }), few, "fractional");
    // Bad input is still bad input, and a solver can still be put away.
    await expect(webgpu.solve({ expertLoad: [1, 2, 3, -4] })).rejects.toThrow(LoadError);
    await expect(auto.solve({ expertLoad: [1, 2, 3, -4] })).rejects.toThrow(LoadError);
    webgpu.destroy();
    auto.destroy();
  });

  test("in the middle of a solve, with more waiting", async () => {
    const device = await ownDevice();
    const { webgpu, auto } = await solversOn(device);
    await Promise.all([webgpu.solve(few), auto.solve(few)]); // compiled: the next one is on the GPU at once
    const lost = [webgpu.solve(many), webgpu.solve(few)];
    const answered = [auto.solve(many), auto.solve(few, { tokens: "fractional" })];
    const pending = vi.fn();
    for (const answer of [...lost, ...answered]) answer.catch(() => {}).finally(pending);
    await new Promise((resume) => setTimeout(resume));
    expect(pending).not.toHaveBeenCalled();
    device.destroy();
    for (const answer of lost) await expectLost(answer);
    expect((await answered[0]).maxLoad).toEqual((await solveLoadBalanceLP({ placement, ...many })).maxLoad);
    await expectFromCpu(answered[1], few, "fractional");
  });

  test("in the edge form", async () => {
    const problem = {
      gpus: 4,
      edges: topologies.edges(topologies.ring(4)),
      load: [90, 10, 20, 30],
      capacity: [30, 30, 30, 30],
    };
    const device = await ownDevice();
    device.destroy();
    await expectLost(solveLoadBalanceLP(problem, { backend: "webgpu", device }));
    const { flow, maxLoad, backend, reason } = await solveLoadBalanceLP(problem, { device });
    const expected = await solveLoadBalanceLP(problem, { backend: "cpu" });
    expect([flow, maxLoad, backend]).toEqual([expected.flow, expected.maxLoad, "cpu"]);
    expect(reason).toMatch(loss);
  });
});

test("measureImbalance on a device that is lost", async () => {
  const device = await ownDevice();
  device.destroy();
  const input = { placement, counts: [4, 3, 2, 1] };
  await expect(measureImbalance(input, { backend: "webgpu", device })).rejects.toThrow(
    /^The WebGPU device was lost \(destroyed\): .* Call it again, or use backend "auto" or "cpu"\.$/,
  );
  expect(await measureImbalance(input, { device })).toEqual(await measureImbalance(input, { backend: "cpu" }));
});

test("the shared device, once lost, is replaced for those who come after", async () => {
  const problem = { placement, ...few };
  const before = await solveLoadBalanceLP(problem, { backend: "webgpu" });
  const solver = await createSolver(placement, { backend: "webgpu" });
  const { device } = await sharedDevice();
  device.destroy();
  await device.lost;
  expect(await solveLoadBalanceLP(problem, { backend: "webgpu" })).toEqual(before);
  await expectLost(solver.solve(few));
});

describe('hardware that is not there: "webgpu" says so with the remedy, "auto" answers from the CPU', () => {
  test.each(["as an option", "from the environment"])("asked for %s", async (how) => {
    if (how === "from the environment") vi.stubEnv("EVENKEEL_ADAPTER", "hardware");
    const adapter = how === "as an option" ? "hardware" : undefined;
    const problem = { placement, ...few };
    const outcome = await requestDevice({ adapter: "hardware" }).catch((error: Error) => error);
    const auto = await solveLoadBalanceLP(problem, { backend: "auto", adapter });
    if (outcome instanceof Error) {
      const error = await solveLoadBalanceLP(problem, { backend: "webgpu", adapter }).catch((error) => error);
      expect(error).toEqual(outcome);
      expect(error).toBeInstanceOf(DeviceError);
      expect(error.message).toMatch(/^No hardware WebGPU adapter\. .*(apt|npm) install/);
      const { reason: _, ...expected } = await solveLoadBalanceLP(problem, { backend: "cpu" });
      expect({ ...auto, reason: "" }).toEqual({ ...expected, reason: "" });
      const solver = await createSolver(placement, { adapter });
      await solver.ready;
      expect(solver.plan).toEqual({ kernel: "simd", reason: expect.stringContaining(outcome.message) });
      solver.destroy();
    } else {
      const webgpu = await solveLoadBalanceLP(problem, { backend: "webgpu", adapter });
      expect(webgpu).toMatchObject({ backend: "webgpu", adapter: { software: false } });
      expect(auto.maxLoad).toEqual(webgpu.maxLoad);
      outcome.device.destroy();
    }
  });
});
