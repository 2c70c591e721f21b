/** Buffers of the caller's, for what is encoded. Flags come from the runtime's own globals: they are there wherever navigator.gpu is. */

export function upload(device: GPUDevice, words: Int32Array | Uint32Array): GPUBuffer {
  const buffer = empty(device, words.length);
  device.queue.writeBuffer(buffer, 0, words as Int32Array<ArrayBuffer>);
  return buffer;
}

export function empty(device: GPUDevice, words: number): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return device.createBuffer({ size: Math.max(4, 4 * words), usage });
}

/** Records and submits the work, and reads the buffers back.  @throws {Error} WebGPU finds something wrong with it. */
export async function submitAndRead(
  device: GPUDevice,
  record: (encoder: GPUCommandEncoder) => void,
  buffers: readonly GPUBuffer[],
): Promise<Int32Array[]> {
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  record(encoder);
  const copies = buffers.map((buffer) => {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const copy = device.createBuffer({ size: buffer.size, usage });
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
    return copy;
  });
  device.queue.submit([encoder.finish()]);
  const invalid = await device.popErrorScope();
  if (invalid) throw new Error(invalid.message);
  const read: Int32Array[] = [];
  for (const copy of copies) {
    await copy.mapAsync(GPUMapMode.READ);
    read.push(new Int32Array(copy.getMappedRange().slice(0)));
    copy.destroy();
  }
  return read;
}
