import { ArgumentError } from "../../common/errors.ts";
import type { Pauses } from "../../common/pauses.ts";
import type { GPUDeviceLike } from "../../gpu/types.ts";
import { acquireDevice, reasonOrThrow } from "../../lp/device_choice.ts";
import { CpuReplays } from "./cpu_replays.ts";
import type { Replays } from "./replays.ts";
import type { SweepPlan } from "./scenarios.ts";
import { WebgpuReplays } from "./webgpu_replays.ts";

const backends = ["auto", "webgpu", "cpu"] as const;
export type SweepBackend = (typeof backends)[number];

/** Fewer scenarios are left to the CPU by "auto": each is one invocation, slower than a core. An H100 is worth 6 cores with 64 of them, 18 with 256. */
const ENOUGH_SCENARIOS = 64;

/** @throws {ArgumentError} */
export function checkBackend(backend: unknown): void {
  if (backends.some((one) => one === backend)) return;
  throw new ArgumentError("backend", `one of ${backends.join(", ")}`, backend);
}

/** @throws {DeviceError} backend is "webgpu", and there is no device, or it does not take the plan. */
export async function chooseReplays(
  backend: SweepBackend,
  device: GPUDeviceLike | undefined,
  plan: SweepPlan,
  scenarios: number,
  pauses: Pauses,
): Promise<{ replays: Replays; reason: string }> {
  const onCpu = (reason: string) => ({ replays: new CpuReplays(plan, pauses), reason });
  if (backend === "auto" && scenarios < ENOUGH_SCENARIOS)
    return onCpu(`${scenarios} scenarios are too few for a GPU, which begins to pay at ${ENOUGH_SCENARIOS}.`);
  const { acquired, reason } = await acquireDevice(backend, { device });
  if (!acquired) return onCpu(reason);
  try {
    return { replays: await WebgpuReplays.create(acquired.device, plan, pauses), reason };
  } catch (error) {
    if (backend === "webgpu") throw error;
    return onCpu(reasonOrThrow(error));
  }
}
