import type { StepTime } from "../../serving/step_time.ts";

/**
 * What a step lasts where nobody says it: Qwen3-30B-A3B in bf16 on one RTX PRO 6000, as `fitStepTime` has it from 19,364 steps that were put together
 * from LLMServingSim's measured tables (casys-kaist/LLMServingSim, MIT); 14.7 % off on the steps that the fit has not seen.
 */
export const defaultStepTime: StepTime = {
  base: 0.0327,
  perSequence: 1.22e-4,
  perKvToken: 2.52e-7,
  perPrefillToken: 2.2e-5,
  perContext: 2.97e-9,
};
