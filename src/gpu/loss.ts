import { DeviceError } from "../common/errors.ts";

const watched = new WeakMap<GPUDevice, { loss?: GPUDeviceLostInfo }>();

/** Watches a device: returns what tells of its loss, undefined as long as it lives. */
export function watchLoss(device: GPUDevice): () => GPUDeviceLostInfo | undefined {
  const known = watched.get(device) ?? {};
  if (!watched.has(device)) {
    watched.set(device, known);
    device.lost.then((info) => {
      known.loss = info;
    });
  }
  return () => known.loss;
}

/** ms in which a browser that has failed a call tells of the loss that was the reason. */
const TELLS_WITHIN_MS = 100;

/** Waits until a loss that may have failed a call would be known. */
export async function lossWouldBeKnown(device: GPUDevice): Promise<void> {
  await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, TELLS_WITHIN_MS))]);
}

/** The error of a call that meets a lost device. */
export function lossError({ reason, message }: GPUDeviceLostInfo, remedy: string, cause?: unknown): DeviceError {
  const told = message.replace(/[.\s]*$/, "."); // a driver's message, with its full stop
  return new DeviceError(`The WebGPU device was lost (${reason}): ${told} ${remedy}`, { cause });
}
