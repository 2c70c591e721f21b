/** GPU work on resident inputs as a benchmark runs it: encode, submit once, read every output back. */
import { bufferUsage, MAP_READ_MODE } from "../src/gpu/constants.ts";
import { type CompiledKernel, foldGrid } from "../src/gpu/pipeline.ts";
import { type PassTimer, passTimer } from "../src/gpu/timing.ts";

export interface GpuJob {
  encode(encoder: GPUCommandEncoder): void;
  /** What is read back. */
  outputs: readonly GPUBuffer[];
  destroy(): void;
}

export interface RunningJob {
  run(): Promise<void>;
  /** [outputs] words of the last run. */
  words(): readonly Uint32Array[];
  /** Between the start and the end of the last run's passes; undefined without timestamps. */
  gpuUs: (() => number) | undefined;
  destroy(): void;
}

const MARKS = ["before", "after"] as const;
const PAIR_BYTES = 16;

/** One submit and one map per run. Timestamps come from empty passes around the job, since the job records passes of its own. */
export function runningJob(device: GPUDevice, job: GpuJob): RunningJob {
  const timer: PassTimer | undefined = device.features.has("timestamp-query") ? passTimer(device, MARKS) : undefined;
  const bytes = job.outputs.map(({ size }) => size);
  const stampBytes = timer?.bytes ?? 0;
  const total = stampBytes + bytes.reduce((a, b) => a + b, 0);
  const readback = device.createBuffer({
    label: "readback",
    size: Math.max(PAIR_BYTES, total),
    usage: bufferUsage.MAP_READ | bufferUsage.COPY_DST,
  });
  let mapped = new ArrayBuffer(0);

  function mark(encoder: GPUCommandEncoder, name: (typeof MARKS)[number]): void {
    if (timer) encoder.beginComputePass({ timestampWrites: timer.writes(name) }).end();
  }

  async function run(): Promise<void> {
    const encoder = device.createCommandEncoder();
    mark(encoder, "before");
    job.encode(encoder);
    mark(encoder, "after");
    if (timer) {
      timer.resolve(encoder);
      encoder.copyBufferToBuffer(timer.buffer, 0, readback, 0, timer.bytes);
    }
    let at = stampBytes;
    for (const [i, output] of job.outputs.entries()) {
      encoder.copyBufferToBuffer(output, 0, readback, at, bytes[i]);
      at += bytes[i];
    }
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(MAP_READ_MODE); // right after submit: Dawn polls from here
    mapped = readback.getMappedRange().slice(0);
    readback.unmap();
  }

  function words(): Uint32Array[] {
    let at = stampBytes;
    return bytes.map((size) => {
      const part = new Uint32Array(mapped, at, size / 4);
      at += size;
      return part;
    });
  }

  function gpuUs(): number {
    const stamps = new BigUint64Array(mapped, 0, 2 * MARKS.length);
    return Number(stamps[2 * MARKS.length - 1] - stamps[0]) / 1e3;
  }

  function destroy(): void {
    readback.destroy();
    timer?.destroy();
    job.destroy();
  }
  return { run, words, gpuUs: timer ? gpuUs : undefined, destroy };
}

/** Buffers of one job by binding name: typed arrays are uploaded, numbers are bytes of an output. */
export function jobBuffers<Name extends string>(
  device: GPUDevice,
  contents: Record<Name, Uint32Array | Int32Array | Float32Array | number>,
  uniforms: readonly Name[] = ["params" as Name],
): { buffers: Record<Name, GPUBuffer>; bindings: Record<Name, GPUBufferBinding>; destroy(): void } {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = bufferUsage;
  const buffers = {} as Record<Name, GPUBuffer>;
  const bindings = {} as Record<Name, GPUBufferBinding>;
  for (const [name, content] of Object.entries(contents) as [Name, (typeof contents)[Name]][]) {
    const size = Math.max(16, typeof content === "number" ? content : content.byteLength);
    const usage = (uniforms.includes(name) ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST;
    buffers[name] = device.createBuffer({ label: name, size, usage });
    bindings[name] = { buffer: buffers[name] };
    if (typeof content !== "number") device.queue.writeBuffer(buffers[name], 0, content as Uint32Array<ArrayBuffer>);
  }
  const destroy = () => {
    for (const buffer of Object.values<GPUBuffer>(buffers)) buffer.destroy();
  };
  return { buffers, bindings, destroy };
}

/** Records one pass with one dispatch, folded past the limit of a dimension. */
export function encodeDispatch(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  { label, pipeline }: CompiledKernel,
  group: GPUBindGroup,
  workgroups: number,
): void {
  const pass = encoder.beginComputePass({ label });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...foldGrid(device, workgroups));
  pass.end();
}
