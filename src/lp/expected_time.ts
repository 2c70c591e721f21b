/** What a batch is expected to take on the CPU and on the GPU, learnt from the solves. */

/** How much a solve changes what the next is expected to take. */
const LEARNING_RATE = 0.1;
/** A solve that takes more than this many times what was expected was disturbed and counts as this: who looks slow is not tried again. */
const MOST_SURPRISE = 2;

/** Small batches are one thread's on the CPU, large ones all threads'. */
type By = "one" | "threads";

/** The CPU takes c ms per LP, the GPU a + b B ms for B LPs. */
export class ExpectedTime {
  private readonly cpuMsPerLp: Partial<Record<By, number>> = {};
  private gpu: { fixedMs: number; perLpMs: number } | undefined;

  /** Whether the GPU was timed. */
  get knowsGpu(): boolean {
    return this.gpu !== undefined;
  }

  gpuMs(batch: number): number {
    return this.gpu ? this.gpu.fixedMs + this.gpu.perLpMs * batch : Infinity;
  }

  /** Never before both have been seen. */
  gpuIsFaster(batch: number, by: By = "one"): boolean {
    const { one, threads } = this.cpuMsPerLp;
    const cpuMs = by === "one" ? (one ?? threads) : (threads ?? one);
    return this.gpuMs(batch) < (cpuMs ?? Infinity) * batch;
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
  cpuTakesAtMost(msPerLp: number, by: By = "one"): void {
    this.cpuMsPerLp[by] = Math.min(this.cpuMsPerLp[by] ?? Infinity, msPerLp);
  }

  learnCpu(msPerLp: number, by: By = "one"): void {
    const known = this.cpuMsPerLp[by];
    // The first solves are slow, as the engine has yet to compile them: a lower figure is believed at once.
    this.cpuMsPerLp[by] =
      known === undefined || msPerLp < known
        ? msPerLp
        : known + LEARNING_RATE * (Math.min(MOST_SURPRISE * known, msPerLp) - known);
  }
}
