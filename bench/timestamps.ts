/** How finely a device tells GPU time: browsers round timestamps, since a fine clock tells pages about each other. */
import { bufferUsage, MAP_READ_MODE } from "../src/gpu/constants.ts";
import { passTimer } from "../src/gpu/timing.ts";
import { RUN } from "./gpu_job.ts";
import { greatestCommonDivisor } from "./timing.ts";

/** Submits after which a step of more than a nanosecond is believed. */
const MOST = 16;

/** The step that all of some timestamps are on, in us; undefined without timestamps. Whatever a setting says, this is what is seen. */
export async function timestampStepUs(device: GPUDevice): Promise<number | undefined> {
  if (!device.features.has("timestamp-query")) return undefined;
  const timer = passTimer(device, [RUN]);
  const usage = bufferUsage.MAP_READ | bufferUsage.COPY_DST;
  const readback = device.createBuffer({ label: "timestamps", size: timer.bytes, usage });
  let first: bigint | undefined;
  let stepNs = 0;
  for (let i = 0; i < MOST && stepNs !== 1; i++) {
    const encoder = device.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: timer.writes(RUN) }).end();
    timer.resolve(encoder);
    encoder.copyBufferToBuffer(timer.buffer, 0, readback, 0, timer.bytes);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(MAP_READ_MODE);
    for (const stamp of new BigUint64Array(readback.getMappedRange().slice(0))) {
      first ??= stamp;
      stepNs = greatestCommonDivisor(stepNs, Number(stamp - first));
    }
    readback.unmap();
  }
  readback.destroy();
  timer.destroy();
  return stepNs / 1e3;
}
