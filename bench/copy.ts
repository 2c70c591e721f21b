import { bind, compile, type Kernel } from "../src/gpu/pipeline.ts";
import copyWgsl from "./copy.wgsl";
import { encodeDispatch, jobBuffers, runningJob } from "./gpu_job.ts";
import { type Effort, quantiles, type Timing } from "./harness.ts";

const copyKernel = {
  name: "copy",
  wgsl: copyWgsl,
  includes: [],
  bindings: { source: "read-only-storage", target: "storage" },
} satisfies Kernel;

const WG = 256;

/** GPU time of reading `words` words and writing as many: the floor for kernels of the same traffic. Needs timestamps. */
export async function copyTime(device: GPUDevice, words: number, effort: Effort): Promise<Timing> {
  const kernel = await compile(device, copyKernel, {}, { WG });
  const { bindings, destroy } = jobBuffers(device, { source: words * 4, target: words * 4 });
  const group = bind(device, kernel, bindings);
  const job = runningJob(device, {
    outputs: [],
    encode: (encoder) => encodeDispatch(device, encoder, kernel, group, Math.ceil(words / WG)),
    destroy,
  });
  if (!job.gpuUs) throw new Error("This device has no timestamps.");
  const us: number[] = [];
  for (let i = 0; i < effort.leastSamples + 1; i++) {
    await job.run();
    if (i > 0) us.push(job.gpuUs()); // the first warms up
  }
  job.destroy();
  return gpuTiming(us);
}

/** A row's figures where all that is measured is GPU time. */
export function gpuTiming(us: readonly number[]): Timing {
  const at = quantiles(us);
  return { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95), timestampUs: at(0.5) };
}
