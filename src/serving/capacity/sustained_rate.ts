import type { StepTime } from "../step_time.ts";
import type { RequestWork } from "./request_work.ts";

/** A worker, with defaults. */
export interface WorkerSettings {
  kvTokens: number;
  /** Infinity: as many as the memory holds. */
  slots: number;
  /** Infinity: whole prompts. */
  chunk: number;
  stepTime: StepTime;
}

/** mu. A full step lasts c0 + W times the requests that end in it, M / E[h] or B / E[n]. */
export function sustainedRate(work: RequestWork, { kvTokens, slots, stepTime }: WorkerSettings): number {
  const byMemory = kvTokens / (stepTime.base * work.tokenSteps + kvTokens * work.seconds);
  if (slots === Number.POSITIVE_INFINITY) return byMemory;
  return Math.min(byMemory, slots / (stepTime.base * work.steps + slots * work.seconds));
}
