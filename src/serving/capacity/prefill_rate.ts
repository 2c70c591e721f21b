import { ArgumentError } from "../../common/errors.ts";
import type { StepTime } from "../step_time.ts";
import type { DrawnLengths } from "./drawn_lengths.ts";
import { lonePrefill } from "./lone_request.ts";
import { quantile } from "./quantile.ts";
import { waitingTime } from "./waiting_time.ts";

interface PrefillSettings {
  stepTime: StepTime;
  bandwidth: number;
  ttft: number;
  percentile: number;
}

/** Prompts that stand for all, at equal distances in length. */
const POINTS = 500;
const HALVINGS = 30;

/**
 * @returns the requests per s that so many prefill workers serve: P(wait + prefill + transfer > TTFT) is at most what the percentile leaves, where
 * P(wait > t) = C exp(-t / W), with the mean C W of `waitingTime`.
 * @throws {ArgumentError} Without waiting, too, TTFT is not met.
 */
export function prefillRate(lengths: DrawnLengths, o: PrefillSettings): (workers: number) => number {
  const { stepTime, bandwidth, ttft, percentile } = o;
  const times = Array.from(lengths.input, (s) => lonePrefill(stepTime, s, Number.POSITIVE_INFINITY));
  const mean = times.reduce((a, b) => a + b) / times.length;
  if (ttft === Number.POSITIVE_INFINITY) return (workers) => workers / mean;
  const cv = Math.sqrt(times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / times.length) / mean;
  const served = times.map((time, i) => time + lengths.input[i] / bandwidth);
  const least = quantile(served, percentile);
  if (least >= ttft) {
    const expected = `more than ${least} s, the ${percentile}th percentile of prefill and transfer without waiting`;
    throw new ArgumentError("slo.ttft", expected, ttft, "No number of workers meets it.");
  }
  const sorted = Float64Array.from(served).sort();
  const points = Array.from({ length: POINTS }, (_, k) => sorted[Math.floor(((k + 0.5) / POINTS) * sorted.length)]);
  const late = (workers: number, rate: number) => {
    const { probability, mean: wait } = waitingTime({ servers: workers, rate, serviceTime: mean, cv });
    // With very many workers the probability, and the mean with it, is 0.
    const scale = probability > 0 ? wait / probability : 1;
    const beyond = (time: number) => (time > ttft ? 1 : probability * Math.exp((time - ttft) / scale));
    return points.reduce((sum, time) => sum + beyond(time), 0) / POINTS;
  };
  return (workers) => {
    let [low, high] = [0, workers / mean];
    for (let k = 0; k < HALVINGS; k++) {
      const rate = (low + high) / 2;
      if (late(workers, rate) <= 1 - percentile / 100) low = rate;
      else high = rate;
    }
    return low;
  };
}
