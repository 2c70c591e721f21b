import type { StepTime } from "../step_time.ts";
import { type DrawnLengths, largestPeak } from "./drawn_lengths.ts";
import { lonePrefill } from "./lone_request.ts";
import { quantile } from "./quantile.ts";
import { requestWork } from "./request_work.ts";
import { sustainedRate } from "./sustained_rate.ts";

interface SharedSettings {
  kvTokens: number;
  slots: number;
  chunk: number;
  stepTime: StepTime;
  ttft: number;
  tpot: number;
  percentile: number;
}

/** Requests per s of a worker that prefills and decodes, by the fluid: its mean step is within TPOT, and two of them with the prompt within TTFT. */
export function sharedRate(lengths: DrawnLengths, o: SharedSettings): number {
  const work = requestWork(lengths, o.stepTime, o.chunk);
  const delta = largestPeak(lengths) / o.kvTokens;
  return Math.min(sustainedRate(work, o) * (1 - delta), busyShare(lengths, o) / work.seconds);
}

/** The share of its time that a worker may spend on what requests add to steps: 1 - c0 / step. At most 0 where an empty step is too long. */
export function busyShare(lengths: DrawnLengths, o: Omit<SharedSettings, "kvTokens" | "slots">): number {
  const prompts = Array.from(lengths.input, (s) => lonePrefill({ ...o.stepTime, base: 0 }, s, o.chunk));
  const step = Math.min(o.tpot, (o.ttft - quantile(prompts, o.percentile)) / 2);
  return step > o.stepTime.base ? 1 - o.stepTime.base / step : 0;
}
