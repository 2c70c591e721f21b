import type { StepTime } from "../../serving/step_time.ts";

/** What a step lasts where nobody says it: round figures of the size that engines have, measured nowhere. */
export const defaultStepTime: StepTime = {
  base: 8e-3,
  perSequence: 5e-5,
  perKvToken: 2e-8,
  perPrefillToken: 2e-5,
  perContext: 5e-10,
};
