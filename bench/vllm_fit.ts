/** A worker's step time from the first part of a run's log. */
import { fitStepTime, type StepRow, type StepTime } from "../src/serving.ts";
import type { RunLog, Tick } from "./vllm_log.ts";

/** Of the run: data parallel, joined by expert parallelism. */
export const WORKERS = 2;

/** The step time of what was logged before a time. @returns error: the rows', mean of |fitted - row| / row. */
export function fitToLog(log: RunLog, until: number): { stepTime: StepTime; rows: number; error: number } {
  const rows = stepRows(log, until);
  const { stepTime, error } = fitStepTime(rows, { heldOut: 0 });
  return { stepTime, rows: rows.length, error };
}

/**
 * The mean step of each tick that ends before `until`. The log knows no steps, but a request makes a token in each, so that there were
 *
 *   tokens made / mean number of requests that make tokens
 *
 * of them, and a step time that is linear in n, K, p and a is linear in their means. n and K are half of both workers', which the router
 * keeps equal; p and a are of both together: two prompts are seldom in one step, and where they are, MoE layers compute both on both.
 * Nothing is used that was logged later: the tokens that running requests hold are those of the ticks, less those of requests that have ended.
 */
export function stepRows(log: RunLog, until: number): StepRow[] {
  const rows: StepRow[] = [];
  let made = 0;
  for (const tick of log.ticks) {
    if (tick.end > until) break;
    const before = made;
    made += tick.generated;
    const decoding = meanRunning(log, log.firstToken, tick, one);
    if (decoding === 0) continue;
    const steps = tick.generated / decoding;
    const prompts = meanRunning(log, log.scheduled, tick, (i) => log.input[i]);
    const generated = (before - endedBy(log, tick.start) + made - endedBy(log, tick.end)) / 2;
    rows.push({
      running: meanRunning(log, log.scheduled, tick, one) / WORKERS,
      kvTokens: Math.max(0, prompts + generated) / WORKERS,
      prefillTokens: tick.prompts / steps,
      context: pairsIn(log, tick) / steps,
      time: (tick.end - tick.start) / steps,
    });
  }
  return rows;
}

const one = () => 1;

/** Mean over the tick of the sum of a weight over requests that have begun and not ended. */
function meanRunning({ requests, lastToken }: RunLog, begin: Float64Array, tick: Tick, weight: (i: number) => number) {
  let sum = 0;
  for (let i = 0; i < requests; i++) {
    const span = Math.min(lastToken[i], tick.end) - Math.max(begin[i], tick.start);
    if (span > 0) sum += weight(i) * span;
  }
  return sum / (tick.end - tick.start);
}

/** Tokens of the requests that have ended by a time. */
function endedBy({ requests, lastToken, output }: RunLog, time: number): number {
  let sum = 0;
  for (let i = 0; i < requests; i++) if (lastToken[i] < time) sum += output[i];
  return sum;
}

/** Query-key pairs of the prompts that the tick counts: however a prompt is cut, its chunks' add up to half its square. */
function pairsIn({ requests, firstToken, input }: RunLog, { start, end }: Tick): number {
  let sum = 0;
  for (let i = 0; i < requests; i++) if (firstToken[i] >= start && firstToken[i] < end) sum += input[i] ** 2 / 2;
  return sum;
}
