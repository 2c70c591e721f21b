/** What a batch is expected to take on the CPU and on the GPU, learnt from the solves. */

/** How much a solve changes what the next is expected to take. */
const LEARNING_RATE = 0.1;
/** A solve that takes more than this many times what was expected was disturbed and counts as this: who looks slow is not tried again. */
const MOST_SURPRISE = 2;

/** The CPU takes c ms per LP, the GPU a + b B ms for B LPs. */
export class ExpectedTime {
  private cpuMsPerLp: number | undefined;
  private gpu: { fixedMs: number; perLpMs: number } | undefined;

  /** Whether the GPU was timed. */
  get knowsGpu(): boolean {
    return this.gpu !== undefined;
  }

  gpuMs(batch: number): number {
    return this.gpu ? this.gpu.fixedMs + this.gpu.perLpMs * batch : Infinity;
  }

  /** Never before both have been seen. */
  gpuIsFaster(batch: number): boolean {
    return this.gpuMs(batch) < (this.cpuMsPerLp ?? Infinity) * batch;
  }

  /** The line through two batches and what they took. */
  gpuTook(small: { batch: number; ms: number }, large: { batch: number; ms: number }): void {
    const perLpMs = Math.max(0, (large.ms - small.ms) / (large.batch - small.batch));
    this.gpu = { fixedMs: Math.max(0, small.ms - small.batch * perLpMs), perLpMs };
  }

  /** Corrects the line by a solve. */
  learnGpu(batch: number, ms: number): void {
    const error = Math.min(MOST_SURPRISE, ms / this.gpuMs(batch));
    const correction = 1 + LEARNING_RATE * (error - 1);
    this.gpu = this.gpu && { fixedMs: this.gpu.fixedMs * correction, perLpMs: this.gpu.perLpMs * correction };
  }

  forgetGpu(): void {
    this.gpu = undefined;
  }

  /** The CPU is no slower than this: in the midst of a solve. */
  cpuTakesAtMost(msPerLp: number): void {
    this.cpuMsPerLp = Math.min(this.cpuMsPerLp ?? Infinity, msPerLp);
  }

  learnCpu(msPerLp: number): void {
    const known = this.cpuMsPerLp;
    // The first solves are slow, as the engine has yet to compile them: a lower figure is believed at once.
    this.cpuMsPerLp =
      known === undefined || msPerLp < known
        ? msPerLp
        : known + LEARNING_RATE * (Math.min(MOST_SURPRISE * known, msPerLp) - known);
  }
}
