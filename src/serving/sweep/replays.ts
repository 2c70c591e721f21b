import type { RawScenario } from "./swept.ts";

/** Runs planned scenarios. */
export interface Replays {
  readonly backend: "webgpu" | "cpu";
  /** Longest dispatch so far, ms; 0 on the CPU. */
  readonly longestDispatch: number;
  /** Runs those of these places in the plan, and hands over each once, in any order.  @throws the signal's reason. */
  run(places: readonly number[], onDone: (place: number, raw: RawScenario) => void): Promise<void>;
  destroy(): void;
}
