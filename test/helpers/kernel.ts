import { bind, type CompiledKernel } from "../../src/gpu/pipeline.ts";

export type Words = Uint32Array | Int32Array | Float32Array;

/**
 * Runs one kernel alone: uploads an array per binding name, dispatches, and reads back those that the kernel may write, as u32 words.
 * Fill outputs with something the kernel would not write, so that a hole in its work shows.
 */
export async function runKernel(
  device: GPUDevice,
  kernel: CompiledKernel,
  arrays: Readonly<Record<string, Words>>,
  grid: readonly [x: number, y: number],
): Promise<Record<string, Uint32Array>> {
  const { COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const made: GPUBuffer[] = [];
  const create = (size: number, usage: GPUBufferUsageFlags) => {
    made.push(device.createBuffer({ size: Math.max(4, size), usage })); // bindings are not empty
    return made[made.length - 1];
  };
  const bindings: Record<string, GPUBufferBinding> = {};
  for (const [name, type] of Object.entries(kernel.kernel.bindings)) {
    const usage = type === "uniform" ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
    const buffer = create(arrays[name].byteLength, usage | COPY_DST | COPY_SRC);
    device.queue.writeBuffer(buffer, 0, arrays[name] as Words & { buffer: ArrayBuffer });
    bindings[name] = { buffer };
  }
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, bind(device, kernel, bindings));
  pass.dispatchWorkgroups(...grid);
  pass.end();
  const written = Object.keys(bindings).filter((name) => kernel.kernel.bindings[name] === "storage");
  const readbacks = written.map((name) => {
    const readback = create(arrays[name].byteLength, COPY_DST | MAP_READ);
    if (arrays[name].byteLength > 0) {
      encoder.copyBufferToBuffer(bindings[name].buffer, 0, readback, 0, arrays[name].byteLength);
    }
    return readback;
  });
  device.queue.submit([encoder.finish()]);
  await Promise.all(readbacks.map((readback) => readback.mapAsync(GPUMapMode.READ)));
  const results = written.map((name, i) => {
    return [name, new Uint32Array(readbacks[i].getMappedRange().slice(0, arrays[name].byteLength))];
  });
  for (const buffer of made) buffer.destroy();
  return Object.fromEntries(results);
}

/** Where the kernel has not been: no count, slot or id. */
export const UNWRITTEN = 0xdeadbeef;

export function unwritten(length: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(length).fill(UNWRITTEN);
}
