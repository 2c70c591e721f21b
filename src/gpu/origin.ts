import { ArgumentError } from "../common/errors.ts";
import type { GPUCommandEncoderLike } from "./types.ts";

/**
 * WebGPU's objects do not tell which device they are of, and that one is of the wrong device shows no sooner than at a submit. So the devices
 * that we make remember what they make, of what `encode` takes; a caller's own device is left as it is.
 */
const makers = new WeakMap<object, GPUDevice>();

/** Lets a device of our own remember its buffers and encoders. */
export function rememberOrigin(device: GPUDevice): void {
  for (const method of ["createBuffer", "createCommandEncoder"] as const) {
    const make = device[method] as (this: GPUDevice, ...args: unknown[]) => object;
    const value = function (this: GPUDevice, ...args: unknown[]) {
      const made = make.apply(this, args);
      makers.set(made, device);
      return made;
    };
    Object.defineProperty(device, method, { value, configurable: true, writable: true });
  }
}

/** Throws where an object is known to be another device's. Of one that a caller's own device made, only a submit can tell. */
export function requireOrigin(device: GPUDevice, argument: string, expected: string, object: object): void {
  const maker = makers.get(object);
  if (maker && maker !== device) throw new ArgumentError(argument, expected, "one of another device", REMEDY);
}

const REMEDY = "createSolver and createBalancer take a device as `device`.";

/** A caller's encoder.  @throws {ArgumentError} It is none, or known to be another device's. */
export function encoderOf(device: GPUDevice, encoder: GPUCommandEncoderLike): GPUCommandEncoder {
  if (typeof encoder?.beginComputePass !== "function")
    throw new ArgumentError("encoder", "a GPUCommandEncoder", encoder);
  requireOrigin(device, "encoder", ENCODER, encoder);
  return encoder as GPUCommandEncoder;
}

const ENCODER = "a GPUCommandEncoder of the device that is worked on";

/** Finishes an encoder that nothing was recorded into, and submits it.  @throws {ArgumentError} It is another device's. */
export async function requireOwnEncoder(device: GPUDevice, encoder: GPUCommandEncoderLike): Promise<void> {
  const commands = encoderOf(device, encoder).finish();
  device.pushErrorScope("validation");
  device.queue.submit([commands]);
  const failure = await device.popErrorScope();
  if (failure) throw new ArgumentError("encoder", `${ENCODER}, not finished yet`, encoder, failure.message);
}
