/** Traces and workers for the simulator's tests. */
import { seeded } from "../../../src/common/random.ts";
import type { StepTime } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

export const traceOf = (arrival: number[], input: number[], output: number[]): Trace => ({
  requests: arrival.length,
  arrival: Float64Array.from(arrival),
  input: Int32Array.from(input),
  output: Int32Array.from(output),
});
const noTime: StepTime = { base: 0, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };
export const worker = (slots: number, kvTokens: number, stepTime: Partial<StepTime> = {}) => ({
  ...{ slots, kvTokens },
  stepTime: { ...noTime, ...stepTime },
});

export function randomTrace(seed: number, requests: number, span: number): Trace {
  const random = seeded(seed);
  const arrival = Array.from({ length: requests }, () => span * random.next()).sort((a, b) => a - b);
  const lengths = () => Array.from({ length: requests }, () => 1 + random.below(50));
  return traceOf(arrival, lengths(), lengths());
}
