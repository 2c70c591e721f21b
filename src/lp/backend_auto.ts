import { DeviceError, whyNotWebgpu } from "../common/errors.ts";
import { Pauses } from "../common/pauses.ts";
import type { AcquiredDevice } from "../gpu/device.ts";
import type { CpuBackend } from "./backend_cpu.ts";
import type { WebgpuBackend } from "./backend_webgpu.ts";
import type { CpuThreads } from "./cpu_threads.ts";
import { ASKED_FOR_CPU } from "./device_choice.ts";
import { ExpectedTime } from "./expected_time.ts";
import type { KernelPlan } from "./kernels/choices.ts";
import { type Loads, rowsOf, tiled } from "./problem.ts";
import type { Settlement } from "./settle.ts";
import { type BackendName, copyRaw, emptyRaw, type Judged, type RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** A GPU that may answer, and whose it is. */
export interface GpuChoice {
  gpu: WebgpuBackend;
  acquired: AcquiredDevice;
}

/** Begins to settle a batch's answers, which are there or are about to be written. */
export type Begin = (raw: RawSolution) => Settlement<Judged>;

/** Who answered a batch, and why. */
export interface Answered {
  /** Not settled yet, or in part. */
  batch: Settlement<Judged>;
  backend: BackendName;
  acquired: AcquiredDevice | undefined;
  reason: string;
}

/**
 * A pipeline costs up to seconds, a solver that is used once never gets it back: as with skis, one rents until the rent would have
 * bought them. The GPU is prepared in the background after this much time in the CPU solver.
 */
const RENT_MS = 1000;
/** Batches that the GPU is timed on: a line through two sizes tells others well enough. */
const LARGEST_TIMED = 256;
const TIMED_BATCHES = [1, LARGEST_TIMED] as const;
const TIMED_RUNS = 4;
const NOT_YET = "The CPU answers until a GPU has been timed, after a second of solving or on `ready`.";
const CPU_FASTER = "The CPU is expected to be faster for a batch of this size.";

/**
 * Backend "auto": each batch goes where it is expected to take less time. The CPU answers first, and c ms per LP are learnt from what it
 * takes, with its program once there is one; the GPU is prepared in the background and timed on the caller's own loads, as a + b B ms for B
 * LPs; both estimates follow the solves from then on. A long batch changes over to the GPU between two pieces when that becomes ready. A device
 * that is lost leaves the CPU.
 */
export class AutoBackend {
  private readonly expected = new ExpectedTime();
  private choice: GpuChoice | undefined;
  private reason: string;
  private preparing: Promise<void> | undefined;
  /** Whether a GPU is being prepared, which takes the event loop. */
  isPreparing = false;
  /** Whether the GPU was asked for. */
  private asked: boolean;
  private spentMs = 0;
  /** The last loads seen, to time the GPU on. */
  private sample: Loads | undefined;
  /** Ready to be timed. */
  private untimed: WebgpuBackend | undefined;
  private destroyed = false;

  /**
   * @param prepare  Finds a device and compiles for it, or rejects with a DeviceError or KernelError.
   * @param now  A GPU that is there already, to be timed after the first solve; or why there will be none.
   * @param threads  Share large batches on the CPU.
   * @param inTurn  Does work while no solve is under way, which would disturb its timing. A long solve does it itself, between two pieces.
   */
  constructor(
    private readonly topology: Topology,
    private readonly cpu: CpuBackend,
    private readonly prepare: () => Promise<GpuChoice>,
    now: GpuChoice | string | undefined,
    private readonly inTurn: (work: () => Promise<void>) => Promise<void>,
    private readonly threads?: CpuThreads,
  ) {
    const never = typeof now === "string";
    this.choice = never ? undefined : now;
    this.reason = never ? now : NOT_YET;
    this.preparing = never ? Promise.resolve() : undefined;
    this.asked = this.choice !== undefined;
  }

  /** The GPU, once there is one. */
  get gpu(): WebgpuBackend | undefined {
    return this.choice?.gpu;
  }

  get plan(): KernelPlan {
    if (this.expected.knowsGpu && this.choice) return this.choice.gpu.kernel.plan;
    const { kernel, reason } = this.cpu.plan();
    return { kernel, reason: reason === ASKED_FOR_CPU ? this.reason : `${this.reason} ${reason}` };
  }

  /** Resolves once both backends have been timed, or there is no GPU; asking starts the preparation. Never rejects. */
  get ready(): Promise<void> {
    this.asked = true;
    return this.start();
  }

  async solve(loads: Loads, begin: Begin, pauses = new Pauses()): Promise<Answered> {
    this.sample = loads;
    const lost = this.choice?.gpu.lost();
    if (lost) this.drop(lost.message);
    if (this.expected.gpuIsFaster(loads.batch, this.threadsFor(loads.batch) ? "threads" : "one")) {
      const raw = await this.solveOnGpu(loads, pauses);
      if (raw) return this.fromGpu(begin(raw));
    }
    const { topology } = this;
    const batch = begin(emptyRaw(topology, loads));
    const { first, end } = await this.solveOnCpu(batch, pauses);
    if (first === end) return this.fromCpu(batch);
    const rest = rowsOf(topology, loads, first, end - first);
    const remaining = await this.solveOnGpu(rest, pauses);
    if (!remaining) {
      const raw = emptyRaw(topology, rest);
      await this.cpu.solve(rest, raw, pauses);
      copyRaw(topology, raw, batch.raw, first);
      return this.fromCpu(batch);
    }
    copyRaw(topology, remaining, batch.raw, first);
    return this.fromGpu(batch);
  }

  private fromCpu(batch: Settlement<Judged>): Answered {
    return { batch, backend: "cpu", acquired: undefined, reason: this.reason };
  }

  private fromGpu(batch: Settlement<Judged>): Answered {
    const { acquired } = this.choice!;
    return { batch, backend: "webgpu", acquired, reason: acquired.adapter.reason };
  }

  private async solveOnGpu(loads: Loads, pauses: Pauses): Promise<RawSolution | undefined> {
    const begun = performance.now();
    try {
      const raw = await this.choice!.gpu.solve(loads, pauses);
      this.expected.learnGpu(loads.batch, performance.now() - begun);
      return raw;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.dropFor(error);
      return undefined;
    }
  }

  /** The CPU, until it is done or the GPU is ready to take the rest: LPs first to end - 1. */
  private async solveOnCpu(batch: Settlement<Judged>, pauses: Pauses): Promise<{ first: number; end: number }> {
    const { expected } = this;
    const { loads, raw } = batch;
    const threads = this.threadsFor(loads.batch);
    const by = threads ? "threads" : "one";
    let begun = performance.now();
    // Threads settle what they solve. On a GPU's answer that time would come later, as on one thread's.
    const enough = async (done: number, settlingMs = 0) => {
      const ms = performance.now() - begun;
      if (this.spentMs + ms > RENT_MS) this.start();
      expected.cpuTakesAtMost((ms - settlingMs) / done, by);
      await this.timeGpu().catch((error) => this.dropFor(error));
      begun = performance.now() - ms; // the timing is not the CPU solver's
      return expected.gpuIsFaster(loads.batch - done, by);
    };
    const settlingMs = threads ? await threads.solve(batch, pauses, enough) : 0;
    const first = threads ? batch.first : await this.cpu.solve(loads, raw, pauses, enough);
    const end = threads ? batch.end : loads.batch;
    const ms = performance.now() - begun;
    expected.learnCpu((ms - settlingMs) / Math.max(1, loads.batch - (end - first)), by);
    this.spentMs += ms;
    if (this.spentMs > RENT_MS || (this.asked && this.choice && !expected.knowsGpu)) this.start();
    return { first, end };
  }

  private threadsFor(batch: number): CpuThreads | undefined {
    return this.threads?.areFor(batch) ? this.threads : undefined;
  }

  private start(): Promise<void> {
    this.preparing ??= this.prepareInTurns();
    return this.preparing;
  }

  private async prepareInTurns(): Promise<void> {
    this.isPreparing = true;
    await this.prepareGpu().catch((error) => this.dropFor(error));
    this.isPreparing = false;
  }

  private async prepareGpu(): Promise<void> {
    if (this.destroyed) return;
    await this.cpu.ready(); // it is the CPU's best that the GPU is held against
    if (this.sample) await this.timeCpu(this.sample); // the engine makes more of a program once it has run
    this.choice ??= await this.prepare();
    const { gpu } = this.choice;
    if (this.destroyed) return gpu.destroy();
    await gpu.kernel.ready;
    // Without loads to time it on, the first solve will ask again.
    if (!this.sample) {
      this.preparing = undefined;
      return;
    }
    this.untimed = gpu;
    await this.inTurn(() => this.timeGpu());
  }

  /** Between two solves, or in the midst of a long one if that comes first. */
  private async timeGpu(): Promise<void> {
    const gpu = this.untimed;
    this.untimed = undefined;
    if (!gpu || this.destroyed) return;
    const [small, large] = TIMED_BATCHES;
    const sample = (batch: number) => tiled(this.topology, this.sample!, batch);
    const timed = async (batch: number) => {
      const loads = sample(batch);
      return { batch, ms: await medianMs(() => gpu.solve(loads)) };
    };
    this.expected.gpuTook(await timed(small), await timed(large));
    await this.timeCpu(this.sample!);
    this.reason = CPU_FASTER;
  }

  /** Its program, which may not have answered yet. */
  private async timeCpu(sample: Loads): Promise<void> {
    if (this.cpu.plan().kernel !== "simd") return;
    const loads = tiled(this.topology, sample, LARGEST_TIMED);
    const raw = emptyRaw(this.topology, loads);
    this.expected.cpuTakesAtMost((await medianMs(() => this.cpu.solve(loads, raw, new Pauses()))) / loads.batch);
  }

  private dropFor(error: unknown): void {
    this.drop(whyNotWebgpu(error) ?? (error as Error).message);
  }

  private drop(why: string): void {
    this.choice?.gpu.destroy();
    this.choice = undefined;
    this.expected.forgetGpu();
    this.reason = why;
  }

  destroy(): void {
    this.destroyed = true;
    this.choice?.gpu.destroy();
  }
}

async function medianMs(solve: () => Promise<unknown>): Promise<number> {
  const ms: number[] = [];
  for (let run = 0; run < TIMED_RUNS; run++) {
    const begun = performance.now();
    await solve();
    ms.push(performance.now() - begun);
  }
  return ms.slice(1).sort((a, b) => a - b)[(TIMED_RUNS - 1) >> 1]; // the first warms up
}
