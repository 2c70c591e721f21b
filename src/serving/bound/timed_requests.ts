import type { Trace } from "../trace/trace.ts";

/** Requests in whole rounds, counted from where their window begins. */
export interface TimedRequests {
  /** n. */
  requests: number;
  /** [n] the earliest start. */
  arrival: Int32Array;
  /** [n] s. */
  input: Int32Array;
  /** [n] o. */
  output: Int32Array;
}

/** Of requests first to end - 1 of a trace; round 0 of theirs is `origin` of the trace's. */
export function timedRequests(trace: Trace, first: number, end: number, origin: number): TimedRequests {
  return {
    requests: end - first,
    arrival: Int32Array.from(trace.arrival.subarray(first, end), (a) => Math.ceil(a) - origin),
    input: trace.input.slice(first, end),
    output: trace.output.slice(first, end),
  };
}
