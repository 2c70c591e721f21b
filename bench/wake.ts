import { compile } from "../src/gpu/pipeline.ts";
import { copyKernel, WG } from "./copy_kernel.ts";
import { type RunningJob, runningKernel } from "./gpu_job.ts";

/** Bytes copied by a run, so that the gaps between runs are short beside them. */
const BYTES = 2 ** 29;
/** An H100 that had nothing to do for a second runs at a quarter of its clock, and at all of it after 200 to 400 ms of work. */
const BUSY_MS = 500;
const ASLEEP_AFTER_MS = 500;

/** Brings a GPU to its full clock before it is timed. */
export class Waker {
  private copying: Promise<RunningJob<never>> | undefined;
  private busyUntil = Number.NEGATIVE_INFINITY;

  constructor(private readonly device: GPUDevice) {}

  /** Keeps the GPU busy for a while unless it just was. */
  async wake(): Promise<void> {
    const begun = performance.now();
    if (begun - this.busyUntil < ASLEEP_AFTER_MS) return;
    this.copying ??= this.prepare();
    const { run } = await this.copying;
    while (performance.now() - begun < BUSY_MS) await run();
  }

  /** Tells that the GPU was busy until now. */
  wasBusy(): void {
    this.busyUntil = performance.now();
  }

  private async prepare(): Promise<RunningJob<never>> {
    const kernel = await compile(this.device, copyKernel, {}, { WG });
    const bytes = Math.min(BYTES, this.device.limits.maxStorageBufferBindingSize);
    const workgroups = Math.floor(bytes / (4 * WG));
    const contents = { source: workgroups * 4 * WG, target: workgroups * 4 * WG };
    return runningKernel(this.device, kernel, contents, [], workgroups);
  }
}
