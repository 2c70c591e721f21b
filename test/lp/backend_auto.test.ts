import { describe, expect, test } from "vitest";
import { Pauses } from "../../src/common/pauses.ts";
import { seeded } from "../../src/common/random.ts";
import { certify, createSolver, DeviceError, requestDevice } from "../../src/index.ts";
import { AutoBackend, type GpuChoice } from "../../src/lp/backend_auto.ts";
import { type CpuBackend, cpuBackend } from "../../src/lp/backend_cpu.ts";
import { webgpuBackend } from "../../src/lp/backend_webgpu.ts";
import { type Loads, rowsOf } from "../../src/lp/problem.ts";
import { replicaForm } from "../../src/lp/replica_form.ts";
import { Settlement } from "../../src/lp/settle.ts";
import { judge, noneJudged, type RawSolution } from "../../src/lp/solution.ts";
import { families, randomPlacement } from "../helpers/instances.ts";

const random = seeded(61);
const placement = randomPlacement(random, 4, 4, 6, 3);
const { topology, check } = replicaForm(placement);
const loadsOf = (batch: number) => ({
  expertLoad: Array.from({ length: batch }, () => families.normal(random, placement.logicalExperts, 4)).flat(),
});
const checked = (batch: number) => check(loadsOf(batch), "integer", new Pauses());

/** LPs first, first + 1, ... */
const rowsFrom = (loads: Loads, first: number): Loads => rowsOf(topology, loads, first, loads.batch - first);

/** The CPU's exact solver on a machine that takes `ms` more for an LP, whatever this one does, and has no WebAssembly. */
function slowCpu(ms: number): CpuBackend {
  const cpu = cpuBackend(topology);
  return {
    ...cpu,
    ready: () => Promise.resolve(),
    async solve(loads, raw, { signal }, enough) {
      for (let lp = 0; lp < loads.batch; lp++) {
        cpu.solveOne(loads, lp, raw);
        await new Promise((resume) => setTimeout(resume, ms));
        signal?.throwIfAborted();
        if (await enough?.(lp + 1)) return lp + 1;
      }
      return loads.batch;
    },
  };
}

async function gpu(): Promise<GpuChoice> {
  const acquired = await requestDevice();
  return { acquired, gpu: await webgpuBackend(acquired.device, topology, "specialised") };
}

const inTurn = (work: () => Promise<void>) => work();

/** Solves without settling. */
async function solve(auto: AutoBackend, loads: Loads, pauses?: Pauses) {
  const begin = (raw: RawSolution) =>
    new Settlement(topology, cpuBackend(topology), loads, raw, noneJudged(topology, loads.batch), undefined);
  const { batch, ...answered } = await auto.solve(loads, begin, pauses);
  return { ...answered, raw: batch.raw };
}

function expectOptimal(loads: Awaited<ReturnType<typeof checked>>, raw: Parameters<typeof judge>[2]) {
  const { judgeOne } = judge(topology, loads, raw);
  for (let lp = 0; lp < loads.batch; lp++) expect(judgeOne(lp), `LP ${lp}`).toBe("optimal");
}

describe("backend auto", () => {
  test("the CPU answers first; once both are timed, the one that is expected to be faster", async () => {
    const auto = new AutoBackend(topology, slowCpu(20), gpu, undefined, inTurn);
    const first = await checked(2);
    const answer = await solve(auto, first);
    expect(answer).toMatchObject({
      backend: "cpu",
      acquired: undefined,
      reason: expect.stringMatching(/until a GPU has been timed/),
    });
    expect(auto.plan.kernel).toBe("cpu");
    await auto.ready;
    expect(auto.plan.kernel).toBe("specialised");
    const next = await checked(40);
    const { raw, backend, acquired } = await solve(auto, next);
    expect(backend).toBe("webgpu");
    expect(acquired).toBeDefined();
    expectOptimal(next, raw);
    auto.destroy();
  });

  test("a long batch changes over when the GPU becomes ready, and no LP is lost or solved twice", async () => {
    let prepared = 0;
    const prepare = () => {
      prepared++;
      return gpu();
    };
    const afterwards = async (work: () => Promise<void>) => {
      await answer; // what is done in turn comes too late for this batch
      await work();
    };
    const auto = new AutoBackend(topology, slowCpu(15), prepare, undefined, afterwards);
    const long = await checked(2000); // half a minute of that CPU
    const answer = solve(auto, long);
    const { raw, backend } = await answer;
    expect(backend).toBe("webgpu");
    expect(prepared).toBe(1);
    expectOptimal(long, raw);
    // Every field came along: the exact solver has no iterations, and a path for each expert at least; the kernel has iterations.
    const byGpu = raw.iterations.findIndex((iterations) => iterations > 0);
    expect(byGpu).toBeGreaterThan(0);
    expect(Math.min(...raw.moves.subarray(0, byGpu))).toBeGreaterThan(0);
    const rest = rowsFrom(long, byGpu);
    const { gpu: alone } = await gpu();
    await alone.kernel.ready;
    const expected = await alone.solve(rest);
    expect(raw.iterations.subarray(byGpu)).toEqual(expected.iterations);
    expect(raw.moves.subarray(byGpu)).toEqual(expected.moves);
    expect(Math.max(...expected.moves)).toBeGreaterThan(0);
    alone.destroy();
    auto.destroy();
  });

  test("a device that is lost under way leaves the CPU, for the whole batch", async () => {
    const auto = new AutoBackend(topology, slowCpu(5), gpu, undefined, inTurn);
    await solve(auto, await checked(2));
    await auto.ready;
    const { device } = (await solve(auto, await checked(8))).acquired!;
    const loads = await checked(64);
    const answer = solve(auto, loads);
    device.destroy();
    const { raw, backend, reason } = await answer;
    expect(backend).toBe("cpu");
    expect(reason).toMatch(/^The WebGPU device was lost/);
    expectOptimal(loads, raw);
    expect(auto.plan).toMatchObject({ kernel: "cpu", reason });
    auto.destroy();
  });

  test("one solve that was disturbed does not turn it away from the GPU for good", async () => {
    let stallMs = 0;
    const stalling = async (): Promise<GpuChoice> => {
      const choice = await gpu();
      const solve: typeof choice.gpu.solve = async (...call) => {
        await new Promise((resume) => setTimeout(resume, stallMs));
        return choice.gpu.solve(...call);
      };
      return { ...choice, gpu: Object.create(choice.gpu, { solve: { value: solve } }) };
    };
    const auto = new AutoBackend(topology, slowCpu(5), stalling, undefined, inTurn);
    await solve(auto, await checked(4));
    await auto.ready;
    stallMs = 3000;
    expect((await solve(auto, await checked(50))).backend).toBe("webgpu");
    stallMs = 0;
    expect((await solve(auto, await checked(50))).backend).toBe("webgpu");
    auto.destroy();
  });

  test("without a GPU it says why, and stays with the CPU", async () => {
    const none = () => Promise.reject(new DeviceError("No WebGPU adapter."));
    const auto = new AutoBackend(topology, cpuBackend(topology), none, undefined, inTurn);
    await auto.ready;
    const loads = await checked(3);
    const { raw, backend, reason } = await solve(auto, loads);
    expect([backend, reason]).toEqual(["cpu", "No WebGPU adapter."]);
    expectOptimal(loads, raw);
  });

  test("times the CPU's program, not the exact solver, against the GPU", async () => {
    const cpu = cpuBackend(topology);
    let timed = 0;
    const counting: CpuBackend = {
      ...cpu,
      solve(loads, ...rest) {
        if (cpu.plan().kernel === "simd") timed += loads.batch;
        return cpu.solve(loads, ...rest);
      },
    };
    const auto = new AutoBackend(topology, counting, gpu, undefined, inTurn);
    await solve(auto, await checked(2));
    expect(auto.plan.kernel).toBe("cpu");
    await auto.ready;
    expect(timed).toBeGreaterThan(1000);
    const loads = await checked(300);
    const { raw, backend } = await solve(auto, loads); // no software adapter comes near it
    expect([backend, raw.iterations.some((sweeps) => sweeps > 0)]).toEqual(["cpu", true]);
    auto.destroy();
  });

  test("stops when told to, on either side", async () => {
    const auto = new AutoBackend(topology, slowCpu(5), gpu, undefined, inTurn);
    const controller = new AbortController();
    const stopped = solve(auto, await checked(500), new Pauses(controller.signal));
    setTimeout(() => controller.abort("enough"), 50);
    await expect(stopped).rejects.toBe("enough");
    auto.destroy();
  });
});

test("a solver on auto: certified whoever answers, and destroyed in the midst of its preparation", async () => {
  const solver = await createSolver(placement);
  const problem = loadsOf(50);
  for (let round = 0; round < 3; round++) {
    const solution = await solver.solve(problem);
    const verdicts = certify({ placement, ...problem }, solution).map(({ verdict }) => verdict);
    expect(new Set(verdicts)).toEqual(new Set(["optimal"]));
    expect(solver.backend).toBe(solution.backend);
    await solver.ready;
  }
  solver.destroy();
  const other = await createSolver(placement);
  await other.solve(problem);
  const ready = other.ready;
  other.destroy();
  await ready;
});
