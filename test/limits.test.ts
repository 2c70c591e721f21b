/** What the README says of limits and backends. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { seeded } from "../src/common/random.ts";
import {
  certify,
  createSolver,
  DeviceError,
  LoadError,
  Placement,
  requestDevice,
  solveLoadBalanceLP,
} from "../src/index.ts";
import { withLimit } from "./helpers/devices.ts";
import { randomPlacement } from "./helpers/instances.ts";

const backends = ["webgpu", "cpu"] as const;
const pair = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });

describe("2^31 - 1 tokens an LP", () => {
  const most = 2 ** 31 - 1;

  test.each(backends)("are solved to the token on %s", async (backend) => {
    const { maxLoad, status } = await solveLoadBalanceLP(
      { placement: pair, expertLoad: [7, most - 7, 0] },
      { backend },
    );
    expect({ maxLoad: maxLoad[0], status }).toEqual({ maxLoad: 2 ** 30, status: ["optimal"] });
  });

  test.each(backends)(
    "are the most in whole tokens, base loads included by magnitude, but not in fractions, on %s",
    async (backend) => {
      const problem = { placement: pair, expertLoad: [0, most, 0], baseLoad: [0, -1] };
      await expect(solveLoadBalanceLP(problem, { backend })).rejects.toThrow(LoadError);
      await expect(solveLoadBalanceLP(problem, { backend })).rejects.toThrow(`got ${2 ** 31}. Solve in larger units`);
      const solution = await solveLoadBalanceLP(problem, { backend, tokens: "fractional" });
      const unit = 2 ** 31 / 2 ** 30; // of the kernel, in tokens
      expect(Math.abs(solution.maxLoad[0] - (most - 1) / 2)).toBeLessThanOrEqual(unit);
      expect(certify(problem, solution)[0]).toMatchObject({ verdict: "optimal" });
    },
  );
});

describe("many GPUs", () => {
  const random = seeded(71);
  const problemOf = (gpus: number) => {
    const placement = randomPlacement(random, gpus, 4, gpus, 3);
    const expertLoad = Array.from({ length: placement.logicalExperts }, () => random.below(1000));
    return { placement, expertLoad };
  };

  test("beyond 64 the group kernel solves", async () => {
    const problem = problemOf(65);
    const solver = await createSolver(problem.placement, { backend: "webgpu" });
    expect(solver.plan).toMatchObject({ kernel: "group", reason: expect.stringContaining("more than 64 GPUs") });
    const solution = await solver.solve(problem);
    expect(certify(problem, solution)[0]).toMatchObject({ verdict: "optimal", gap: 0 });
    solver.destroy();
    await expect(createSolver(problem.placement, { backend: "webgpu", kernel: "lane" })).rejects.toThrow(
      'kernel: expected "group", since lane takes at most 64 GPUs, got "lane".',
    );
  });

  test("what would take a lane much private memory is left to group, unless lane is asked for or group has no room", async () => {
    const problem = problemOf(48);
    const kernelOf = async (kernel: "auto" | "lane") => {
      const solver = await createSolver(problem.placement, { backend: "webgpu", device, kernel });
      if (kernel === "auto") expect(certify(problem, await solver.solve(problem))[0].verdict).toBe("optimal");
      const { plan } = solver;
      solver.destroy();
      return plan;
    };
    const { device } = await requestDevice();
    const reason = expect.stringMatching(/and a lane would take 18352 bytes of private memory\.$/);
    expect(await kernelOf("auto")).toMatchObject({ kernel: "group", reason });
    if (device.adapterInfo.vendor !== "nvidia") {
      // whose driver takes no more than 16,384
      expect((await kernelOf("lane")).kernel).toBe("lane");
      const plan = await withLimit(device, "maxComputeWorkgroupStorageSize", 4096, () => kernelOf("auto"));
      expect(plan.kernel).toBe("lane");
    }
    device.destroy();
  });

  test("more than workgroup memory holds are refused, and left to the CPU by auto, which says why", async () => {
    const problem = problemOf(1500);
    const tooLarge =
      /^The topology is too large for the group kernel: an LP takes .* bytes of workgroup memory, and the device has \d+/;
    await expect(solveLoadBalanceLP(problem, { backend: "webgpu" })).rejects.toThrow(tooLarge);
    const solver = await createSolver(problem.placement);
    const solution = await solver.solve(problem);
    expect(certify(problem, solution)[0]).toMatchObject({ verdict: "optimal", gap: 0 });
    await solver.ready;
    expect(solver.plan).toMatchObject({ kernel: "cpu", reason: expect.stringMatching(tooLarge) });
    solver.destroy();
  });
});

describe(`backend "auto"`, () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("does not wait for a GPU: the CPU answers first", async () => {
    const { adapter, backend } = await solveLoadBalanceLP({ placement: pair, expertLoad: [1, 2, 3] });
    expect([backend, adapter]).toEqual(["cpu", undefined]);
  });

  test("goes on with the CPU once the device is lost, and says so; webgpu does not", async () => {
    const { device } = await requestDevice();
    const auto = await createSolver(pair, { device });
    const webgpu = await createSolver(pair, { device, backend: "webgpu" });
    const loads = { expertLoad: [30, 60, 10] };
    expect(await auto.solve(loads)).toMatchObject({ maxLoad: Float64Array.of(50) });
    device.destroy();
    await device.lost;
    const { backend, reason, maxLoad } = await auto.solve(loads);
    expect({ backend, maxLoad: maxLoad[0] }).toEqual({ backend: "cpu", maxLoad: 50 });
    expect(reason).toMatch(/^The WebGPU device was lost/);
    await expect(webgpu.solve(loads)).rejects.toThrow(DeviceError);
  });
});
