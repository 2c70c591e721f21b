/** Which device works for whoever asks once, and not for a solver that times both sides. */
import { whyNotWebgpu } from "../common/errors.ts";
import { type AcquiredDevice, type AdapterChoice, requestDevice, resolveChoice, sharedDevice } from "../gpu/device.ts";
import type { backends, SolverOptions } from "./solver_options.ts";

interface Choice {
  acquired: AcquiredDevice | undefined;
  reason: string;
}

type DeviceOptions = Pick<SolverOptions, "device" | "adapter">;

/** The caller's device, or the shared one of an adapter.  @throws {DeviceError} There is none. */
export function findDevice({ device, adapter }: DeviceOptions): Promise<AcquiredDevice> {
  return device ? requestDevice({ device }) : sharedDevice(adapter);
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
