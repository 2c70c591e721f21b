import { compile } from "../src/gpu/pipeline.ts";
import { copyKernel, WG } from "./copy_kernel.ts";
import { runningKernel } from "./gpu_job.ts";
import { type Effort, quantiles, type Timing, typicalGpuUs } from "./timing.ts";

/** GPU time of reading `words` words and writing as many: the floor for kernels of the same traffic. Needs timestamps. */
export async function copyTime(device: GPUDevice, words: number, effort: Effort): Promise<Timing> {
  const kernel = await compile(device, copyKernel, {}, { WG });
  const contents = { source: words * 4, target: words * 4 };
  const running = runningKernel(device, kernel, contents, [], Math.ceil(words / WG));
  if (!running.gpuUs) throw new Error("This device has no timestamps.");
  const us: number[] = [];
  for (let i = 0; i < effort.leastSamples + 1; i++) {
    await running.run();
    if (i > 0) us.push(running.gpuUs()); // the first warms up
  }
  running.destroy();
  return gpuTiming(us);
}

/** A row's figures where all that is measured is GPU time. */
export function gpuTiming(us: readonly number[]): Timing {
  const at = quantiles(us);
  const typical = typicalGpuUs(us);
  return { medianUs: typical, p05Us: at(0.05), p95Us: at(0.95), timestampUs: typical };
}
