/** GPU work on resident inputs as a benchmark runs it: encode, submit once, read every output back. */
import { createJob, type Job, type Words } from "../src/gpu/job.ts";
import { bind, type CompiledKernel, foldGrid } from "../src/gpu/pipeline.ts";
import type { PassTimer } from "../src/gpu/timing.ts";

/** The one pair of timestamps, around whatever a run records. */
export const RUN = "run";

/** Buffers of a benchmark by name, those of `contents` uploaded, and by default a pair of timestamps where the device has them. */
export function benchJob<Name extends string, Out extends Name>(
  device: GPUDevice,
  contents: Readonly<Record<Name, number | Words>>,
  outputs: readonly Out[],
  passes: readonly (typeof RUN)[] = [RUN],
): Job<Name, Out> {
  return createJob(device, contents, { label: "bench", remedy: "Start the benchmark again.", outputs, passes });
}

/** The same work again and again. */
export interface RunningJob<Out extends string> {
  run(): Promise<void>;
  /** Words of an output of the last run. */
  words(name: Out): Uint32Array;
  /** Between the start and the end of the last run's passes; undefined without timestamps. */
  gpuUs: (() => number) | undefined;
  destroy(): void;
}

export function runningJob<Name extends string, Out extends Name>(
  job: Job<Name, Out>,
  encode: (encoder: GPUCommandEncoder) => void,
): RunningJob<Out> {
  const { timer } = job;
  let kept = {} as Record<Out, Uint32Array>;
  let gpuUs = Number.NaN;
  const record = (encoder: GPUCommandEncoder) => (timer ? encodeTimed(encoder, timer, encode) : encode(encoder));
  return {
    run: () =>
      job.run({ record, timed: true }, (words, us) => {
        const copies = Object.entries<Uint32Array>(words).map(([name, mapped]) => [name, mapped.slice()]);
        kept = Object.fromEntries(copies);
        if (us) gpuUs = us[RUN];
      }),
    words: (name) => kept[name],
    gpuUs: timer ? () => gpuUs : undefined,
    destroy: () => job.destroy(),
  };
}

/** Records work that has passes of its own: its timestamps come from an empty pass before it and one after it. */
export function encodeTimed(
  encoder: GPUCommandEncoder,
  timer: PassTimer,
  encode: (encoder: GPUCommandEncoder) => void,
): void {
  const { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex } = timer.writes(RUN);
  encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex } }).end();
  encode(encoder);
  encoder.beginComputePass({ timestampWrites: { querySet, endOfPassWriteIndex } }).end();
  timer.resolve(encoder);
}

/** One dispatch of a kernel again and again, folded past the limit of a dimension. `contents` are by the names of its bindings. */
export function runningKernel<Name extends string, Out extends Name>(
  device: GPUDevice,
  kernel: CompiledKernel,
  contents: Readonly<Record<Name, number | Words>>,
  outputs: readonly Out[],
  workgroups: number,
): RunningJob<Out> {
  const job = benchJob(device, contents, outputs);
  const group = bind(device, kernel, job.bindings);
  return runningJob(job, (encoder) => {
    const pass = encoder.beginComputePass({ label: kernel.label });
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...foldGrid(device, workgroups));
    pass.end();
  });
}
