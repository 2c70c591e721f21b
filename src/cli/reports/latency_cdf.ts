import type { Simulated } from "../../serving/simulator/simulated.ts";
import type { Trace } from "../../serving/trace/trace.ts";

/** Points of a curve, however many requests there are. */
const POINTS = 200;
/** What is between the last but one and the last: the slowest, of which there are few and much is said. */
const TAIL = [0.9975, 0.999];

/** [value, share of the requests that have at most that], ascending. */
export type Cdf = readonly (readonly [value: number, share: number])[];

export const cdfNames = ["ttft", "tpot", "latency"] as const;

/**
 * How latencies are distributed, of requests that were served and arrived from the warm-up's end on.
 */
export function latencyCdfs(
  { requests, output }: Trace,
  { arrival, firstToken, finish }: Simulated,
  warmUp: number,
): Record<(typeof cdfNames)[number], Cdf> {
  const ids = Array.from({ length: requests }, (_, i) => i);
  const served = ids.filter((i) => finish[i] >= 0 && arrival[i] >= warmUp);
  const since = (times: Float64Array) => cdfOf(served.map((i) => times[i] - arrival[i]));
  const several = served.filter((i) => output[i] > 1);
  return {
    ttft: since(firstToken),
    tpot: cdfOf(several.map((i) => (finish[i] - firstToken[i]) / (output[i] - 1))),
    latency: since(finish),
  };
}

export function cdfOf(values: readonly number[]): Cdf {
  const sorted = Float64Array.from(values).sort();
  const last = sorted.length - 1;
  if (last < 0) return [];
  const shares = [...Array.from({ length: POINTS }, (_, k) => k / POINTS), ...TAIL, 1];
  return shares.map((share) => [sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)], share] as const);
}
