import { ArgumentError } from "../../common/errors.ts";
import { volumeOf } from "../scheduling/job.ts";
import type { Trace } from "../trace/trace.ts";
import type { BoundSettings } from "./bound_options.ts";

/** Of all workers together: their memory in each is written down. */
const MOST_ROUNDS = 2 ** 28;

/** A trace's requests in rounds. */
export interface RoundRequests {
  count: number;
  /** [n] ceil(arrival): the first round that a request may start at. */
  release: Int32Array;
  /** [n] s and o. */
  input: Int32Array;
  output: Int32Array;
  /** [n] s o + (o^2 + o) / 2. */
  volume: Float64Array;
  /** Sum of o - arrival: what latencies add up to, less the sum of the starts. */
  offset: number;
}

/** Where a request starts: it makes its tokens in the rounds start + 1 .. start + output of a worker. */
export interface Schedule {
  /** [n] */
  start: Int32Array;
  /** [n] */
  worker: Int32Array;
}

/** @throws {ArgumentError} There are too many rounds. */
export function roundRequests(trace: Trace, { workers }: BoundSettings): RoundRequests {
  const { requests: count, arrival, input, output } = trace;
  const most = Math.floor(MOST_ROUNDS / workers);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    offset += output[i] - arrival[i];
    if (arrival[i] + output[i] <= most) continue;
    const expected = `arrivals and outputs that add up to 2^28 / workers = ${most} rounds at most`;
    throw new ArgumentError(`trace, request ${i}`, expected, arrival[i] + output[i]);
  }
  return {
    ...{ count, input, output, offset },
    release: Int32Array.from(arrival, Math.ceil),
    volume: Float64Array.from(input, (s, i) => volumeOf(s, output[i])),
  };
}

/** What the latencies of a schedule add up to. */
export function totalLatency({ offset }: RoundRequests, start: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < start.length; i++) total += start[i];
  return total + offset;
}
