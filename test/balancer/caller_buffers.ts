/** A balancer on a device as a caller brings one, and buffers for its `encode`. */
import { type BalancerBuffers, createBalancer } from "../../src/index.ts";
import { shared } from "../helpers/batches.ts";
import { plainDevice } from "../helpers/devices.ts";

export const device = await plainDevice();
export const balancer = await createBalancer({ ...shared, device });
export const [L, E, P, G] = [3, 32, shared.placement[0].physicalExperts, 8];
export const width = Math.max(...shared.placement.map(({ maxReplicas }) => maxReplicas));
const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;

export function bufferOf(words: Int32Array | Uint32Array | number, usage = STORAGE | COPY_SRC | COPY_DST, on = device) {
  const size = 4 * (typeof words === "number" ? words : words.length);
  const buffer = on.createBuffer({ size, usage });
  if (typeof words !== "number") on.queue.writeBuffer(buffer, 0, words as Int32Array<ArrayBuffer>);
  return buffer;
}

/** Buffers for a batch, all that `encode` can take; outputs are filled with what it does not write. */
export function buffersFor(ids: Int32Array | Uint32Array) {
  const junk = (words: number) => bufferOf(new Int32Array(words).fill(-7));
  return {
    tokens: ids.length / (L * shared.topK),
    topkIds: bufferOf(ids),
    physicalIds: junk(ids.length),
    rankCounts: { counts: bufferOf(balancer.count(ids)), before: bufferOf(new Int32Array(L * E)) },
    baseLoad: bufferOf(new Int32Array(L * G)),
    quota: junk(L * P),
    shares: junk(L * E * width),
    outOfRange: junk(L),
  };
}

export async function read(buffer: GPUBuffer): Promise<Int32Array> {
  const readback = device.createBuffer({ size: buffer.size, usage: COPY_DST | MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, readback, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  return new Int32Array(readback.getMappedRange());
}

/** Records and submits, and throws what WebGPU finds wrong with it. */
export async function encodeAll(batches: BalancerBuffers[]): Promise<void> {
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  for (const buffers of batches) balancer.encode(encoder, buffers);
  device.queue.submit([encoder.finish()]);
  const failure = await device.popErrorScope();
  if (failure) throw new Error(failure.message);
}
