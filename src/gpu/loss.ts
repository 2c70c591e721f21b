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

/** The error of a call that meets a lost device. */
export function lossError({ reason, message }: GPUDeviceLostInfo, remedy: string, cause?: unknown): DeviceError {
  const told = message.replace(/[.\s]*$/, "."); // a driver's message, with its full stop
  return new DeviceError(`The WebGPU device was lost (${reason}): ${told} ${remedy}`, { cause });
}
