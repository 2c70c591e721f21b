import type { Pauses } from "../../common/pauses.ts";
import { ASKED_FOR_CPU } from "../../lp/device_choice.ts";
import { CpuReplays } from "./cpu_replays.ts";
import type { Replays } from "./replays.ts";
import type { SweepPlan } from "./scenarios.ts";

/** @throws {DeviceError} backend is "webgpu", and there is no device. */
export async function chooseReplays(
  _backend: "auto" | "webgpu" | "cpu",
  _device: GPUDevice | undefined,
  plan: SweepPlan,
  _scenarios: number,
  pauses: Pauses,
): Promise<{ replays: Replays; reason: string }> {
  return { replays: new CpuReplays(plan, pauses), reason: ASKED_FOR_CPU };
}
