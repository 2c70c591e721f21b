/** Which device works for whoever asks once, and not for a solver that times both sides. */
import { ArgumentError, whyNotWebgpu } from "../common/errors.ts";
import { type AcquiredDevice, type AdapterChoice, requestDevice, resolveChoice, sharedDevice } from "../gpu/device.ts";
import { MAX_GPUS_LANE } from "./kernels/lane.ts";
import type { backends, SolverOptions } from "./solver_options.ts";

interface Choice {
  acquired: AcquiredDevice | undefined;
  reason: string;
}

const TOO_MANY_GPUS = `The WebGPU kernel takes at most ${MAX_GPUS_LANE} GPUs.`;

type DeviceOptions = Pick<SolverOptions, "device" | "adapter">;

/** The caller's device, or the shared one of an adapter.  @throws {DeviceError} There is none. */
export function findDevice({ device, adapter }: DeviceOptions): Promise<AcquiredDevice> {
  return device ? requestDevice({ device }) : sharedDevice(adapter);
}

/**
 * The device of who solves with *lane* alone, or why there is none and the CPU answers.
 *
 * @throws {DeviceError} backend is "webgpu", and there is none.  @throws {ArgumentError} backend is "webgpu", and lane does not take so many GPUs.
 *
 * @internal
 */
export async function acquireForLane(
  gpus: number,
  backend: (typeof backends)[number],
  options: DeviceOptions,
): Promise<Choice> {
  if (backend === "cpu" || gpus <= MAX_GPUS_LANE) return acquireDevice(backend, options);
  const limit = `at most ${MAX_GPUS_LANE} on backend "webgpu"`;
  if (backend === "webgpu") throw new ArgumentError("gpus", limit, gpus, `Use backend "cpu" or "auto".`);
  return { acquired: undefined, reason: TOO_MANY_GPUS };
}

/**
 * A device for work that is too short to time it against the CPU first, or why there is none and the CPU answers.
 *
 * @throws {DeviceError} backend is "webgpu", and there is none.
 *
 * @internal
 */
export async function acquireDevice(
  backend: (typeof backends)[number],
  { device, adapter }: DeviceOptions,
): Promise<Choice> {
  if (backend === "cpu") return { acquired: undefined, reason: ASKED_FOR_CPU };
  try {
    const acquired = await findDevice({ device, adapter: adapterFor(backend, adapter) });
    return { acquired, reason: acquired.adapter.reason };
  } catch (error) {
    if (backend === "webgpu") throw error;
    return { acquired: undefined, reason: reasonOrThrow(error) };
  }
}

/** What cannot be timed against the CPU first takes a software adapter only where it was asked for. */
function adapterFor(backend: string, adapter: AdapterChoice | undefined): AdapterChoice {
  const choice = resolveChoice(adapter);
  return backend === "auto" && choice === "auto" ? "hardware" : choice;
}

/** Why the CPU goes on without a GPU.  @throws what is no reason to. @internal */
export function reasonOrThrow(error: unknown): string {
  const reason = whyNotWebgpu(error);
  if (reason === undefined) throw error;
  return reason;
}

export const ASKED_FOR_CPU = "The caller asked for the CPU.";
