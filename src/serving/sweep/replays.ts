import type { RawScenario } from "./swept.ts";

/** Share of the work that is done. */
export type ReplayProgress = (share: number) => void;

/** Runs planned scenarios. */
export interface Replays {
  readonly backend: "webgpu" | "cpu";
  /** Longest dispatch so far, ms; 0 on the CPU. */
  readonly longestDispatch: number;
  /** Runs those of these places in the plan, and hands over each once, in any order.  @throws the signal's reason, or {DeviceError} the device was lost. */
  run(
    places: readonly number[],
    onDone: (place: number, raw: RawScenario) => void,
    onProgress: ReplayProgress,
  ): Promise<void>;
}
