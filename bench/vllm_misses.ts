/** What a log says of steps that a step time of five numbers cannot: how it bends with the batch, and what prompts cost beside others. */
import type { StepRow, StepTime } from "../src/serving.ts";
import { WORKERS } from "./vllm_fit.ts";

export interface DecodeStep {
  /** Requests of both workers. */
  running: number;
  /** s */
  recorded: number;
  fitted: number;
}

/** Mean steps without prefill, the fewest requests first. */
export function decodeSteps(rows: readonly StepRow[], c: StepTime): DecodeStep[] {
  return rows
    .filter(({ prefillTokens }) => prefillTokens === 0)
    .map(({ running, kvTokens, time }) => {
      const fitted = c.base + c.perSequence * running + c.perKvToken * kvTokens;
      return { running: running * WORKERS, recorded: time, fitted };
    })
    .sort((a, b) => a.running - b.running);
}

/** s per prompt token by which steps with more than `from` and at most `to` requests last longer than recorded ones without prefill. */
export function promptCost(rows: readonly StepRow[], from: number, to: number): number {
  const decode = decodeSteps(rows, { base: 0, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 });
  let [seconds, tokens] = [0, 0];
  for (const { running, prefillTokens, time } of rows) {
    const both = running * WORKERS;
    if (prefillTokens === 0 || both <= from || both > to) continue;
    const steps = 1 / time; // a row is a second
    seconds += steps * (time - recordedAt(decode, both));
    tokens += steps * prefillTokens;
  }
  return seconds / tokens;
}

/** s, between the two neighbours in the size of the batch. */
function recordedAt(decode: readonly DecodeStep[], running: number): number {
  const above = decode.findIndex((step) => step.running >= running);
  if (above <= 0) return decode.at(above)!.recorded;
  const [low, high] = [decode[above - 1], decode[above]];
  const share = (running - low.running) / (high.running - low.running);
  return low.recorded + share * (high.recorded - low.recorded);
}
