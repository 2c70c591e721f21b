import { DeviceError, whyNotWebgpu } from "../common/errors.ts";
import { Pauses } from "../common/pauses.ts";
import type { AcquiredDevice } from "../gpu/device.ts";
import type { CpuBackend } from "./backend_cpu.ts";
import type { WebgpuBackend } from "./backend_webgpu.ts";
import type { KernelPlan } from "./kernels/choose.ts";
import { type Loads, rowsOf, tiled } from "./problem.ts";
import { type BackendName, copyRaw, emptyRaw, type RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** A GPU that may answer, and whose it is. */
export interface GpuChoice {
  gpu: WebgpuBackend;
  acquired: AcquiredDevice;
}

/** Who answered a batch, and why. */
export interface Answered {
  raw: RawSolution;
  backend: BackendName;
  acquired: AcquiredDevice | undefined;
  reason: string;
}

export interface AutoBackend {
  solve(loads: Loads, pauses?: Pauses): Promise<Answered>;
  /** The GPU, once there is one. */
  readonly gpu: WebgpuBackend | undefined;
  readonly plan: KernelPlan;
  /** Resolves once both backends have been timed, or there is no GPU; asking starts the preparation. Never rejects. */
  readonly ready: Promise<void>;
  destroy(): void;
}

/**
 * A pipeline costs up to seconds, a solver that is used once never gets it back: as with skis, one rents until the rent would have
 * bought them. The GPU is prepared in the background after this much time in the CPU solver.
 */
const RENT_MS = 1000;
/** Batches that the GPU is timed on: a line through two sizes tells others well enough. */
const TIMED_BATCHES = [1, 256] as const;
const TIMED_RUNS = 4;
/** How much a solve changes what the next is expected to take. */
const LEARNING_RATE = 0.1;
/** A solve that takes more than this many times what was expected was disturbed and counts as this: who looks slow is not tried again. */
const MOST_SURPRISE = 2;

const NOT_YET = "The CPU answers until a GPU has been timed, after a second of solving or on `ready`.";
const CPU_FASTER = "The CPU is expected to be faster for a batch of this size.";

/**
 * Backend "auto": each batch goes where it is expected to take less time. The CPU answers first, and c ms per LP are learnt from what it
 * takes; the GPU is prepared in the background and timed on the caller's own loads, as a + b B ms for B LPs; both estimates follow
 * the solves from then on. A long batch changes over to the GPU between two pieces when that becomes ready. A device that is
 * lost leaves the CPU.
 *
 * @param prepare  Finds a device and compiles for it, or rejects with a DeviceError or KernelError.
 * @param now  A GPU that is there already, to be timed after the first solve; or why there will be none.
 * @param inTurn  Does work while no solve is under way, which would disturb its timing. A long solve does it itself, between two pieces.
 */
export function autoBackend(
  topology: Topology,
  cpu: CpuBackend,
  prepare: () => Promise<GpuChoice>,
  now: GpuChoice | string | undefined,
  inTurn: (work: () => Promise<void>) => Promise<void>,
): AutoBackend {
  let choice = typeof now === "string" ? undefined : now;
  let destroyed = false;
  let timed: { fixedMs: number; perLpMs: number } | undefined;
  let cpuMsPerLp: number | undefined;
  let spentMs = 0;
  let reason = typeof now === "string" ? now : NOT_YET;
  let preparing: Promise<void> | undefined = typeof now === "string" ? Promise.resolve() : undefined;
  let asked = choice !== undefined; // for the GPU
  let sample: Loads | undefined; // the last loads seen, to time the GPU on
  let untimed: WebgpuBackend | undefined; // ready to be timed

  function start(): Promise<void> {
    preparing ??= prepareGpu().catch(dropFor);
    return preparing;
  }

  async function prepareGpu(): Promise<void> {
    if (destroyed) return;
    choice ??= await prepare();
    const { gpu } = choice;
    if (destroyed) return gpu.destroy();
    await gpu.kernel.ready;
    // Without loads to time it on, the first solve will ask again.
    if (!sample) {
      preparing = undefined;
      return;
    }
    untimed = gpu;
    await inTurn(timeGpu);
  }

  /** Between two solves, or in the midst of a long one if that comes first. */
  async function timeGpu(): Promise<void> {
    const gpu = untimed;
    untimed = undefined;
    if (!gpu || destroyed) return;
    const [small, large] = TIMED_BATCHES;
    const oneMs = await medianMs(gpu, tiled(topology, sample!, small));
    const manyMs = await medianMs(gpu, tiled(topology, sample!, large));
    const perLpMs = Math.max(0, (manyMs - oneMs) / (large - small));
    timed = { fixedMs: Math.max(0, oneMs - perLpMs), perLpMs };
    reason = CPU_FASTER;
  }

  function drop(why: string): void {
    choice?.gpu.destroy();
    choice = undefined;
    timed = undefined;
    reason = why;
  }
  const dropFor = (error: unknown) => drop(whyNotWebgpu(error) ?? (error as Error).message);

  const gpuMs = (batch: number) => (timed ? timed.fixedMs + timed.perLpMs * batch : Infinity);
  const gpuIsFaster = (batch: number) => gpuMs(batch) < (cpuMsPerLp ?? Infinity) * batch;

  async function solveOnGpu(loads: Loads, pauses: Pauses): Promise<RawSolution | undefined> {
    const begun = performance.now();
    try {
      const raw = await choice!.gpu.solve(loads, pauses);
      const error = Math.min(MOST_SURPRISE, (performance.now() - begun) / gpuMs(loads.batch));
      const correction = 1 + LEARNING_RATE * (error - 1);
      timed = timed && { fixedMs: timed.fixedMs * correction, perLpMs: timed.perLpMs * correction };
      return raw;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      dropFor(error);
      return undefined;
    }
  }

  /** The CPU, until it is done or the GPU is ready to take the rest; returns how many LPs it solved. */
  async function solveOnCpu(loads: Loads, raw: RawSolution, pauses: Pauses): Promise<number> {
    let begun = performance.now();
    const solved = await cpu.solve(loads, raw, pauses, async (done) => {
      const ms = performance.now() - begun;
      if (spentMs + ms > RENT_MS) start();
      cpuMsPerLp = Math.min(cpuMsPerLp ?? Infinity, ms / done);
      await timeGpu().catch(dropFor);
      begun = performance.now() - ms; // the timing is not the CPU solver's
      return gpuIsFaster(loads.batch - done);
    });
    const ms = performance.now() - begun;
    const perLp = ms / Math.max(1, solved);
    // The first solves are slow, as the engine has yet to compile them: a lower figure is believed at once.
    cpuMsPerLp =
      cpuMsPerLp === undefined || perLp < cpuMsPerLp
        ? perLp
        : cpuMsPerLp + LEARNING_RATE * (Math.min(MOST_SURPRISE * cpuMsPerLp, perLp) - cpuMsPerLp);
    spentMs += ms;
    if (spentMs > RENT_MS || (asked && choice && !timed)) start();
    return solved;
  }

  async function solve(loads: Loads, pauses = new Pauses()): Promise<Answered> {
    sample = loads;
    const lost = choice?.gpu.lost();
    if (lost) drop(lost.message);
    const fromCpu = (raw: RawSolution): Answered => ({ raw, backend: "cpu", acquired: undefined, reason });
    const fromGpu = (raw: RawSolution): Answered => {
      const { acquired } = choice!;
      return { raw, backend: "webgpu", acquired, reason: acquired.adapter.reason };
    };
    if (gpuIsFaster(loads.batch)) {
      const raw = await solveOnGpu(loads, pauses);
      if (raw) return fromGpu(raw);
    }
    const raw = emptyRaw(topology, loads);
    const solved = await solveOnCpu(loads, raw, pauses);
    if (solved === loads.batch) return fromCpu(raw);
    const rest = rowsOf(topology, loads, solved, loads.batch - solved);
    const remaining = await solveOnGpu(rest, pauses);
    if (!remaining) {
      await cpu.solve(loads, raw, pauses, undefined, solved);
      return fromCpu(raw);
    }
    copyRaw(topology, remaining, raw, solved);
    return fromGpu(raw);
  }

  return {
    solve,
    get gpu() {
      return choice?.gpu;
    },
    get plan(): KernelPlan {
      return timed && choice ? choice.gpu.kernel.plan : { kernel: "cpu", reason };
    },
    get ready() {
      asked = true;
      return start();
    },
    destroy() {
      destroyed = true;
      choice?.gpu.destroy();
    },
  };
}

async function medianMs(gpu: WebgpuBackend, loads: Loads): Promise<number> {
  const ms: number[] = [];
  for (let run = 0; run < TIMED_RUNS; run++) {
    const begun = performance.now();
    await gpu.solve(loads);
    ms.push(performance.now() - begun);
  }
  return ms.slice(1).sort((a, b) => a - b)[(TIMED_RUNS - 1) >> 1]; // the first warms up
}
