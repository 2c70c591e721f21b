import type { Trace } from "../../src/serving/trace/trace.ts";
import { recordedBytes } from "../helpers/recorded.ts";

/** The first BurstGPT requests; all at 0, or Poisson by a linear congruential generator of its own, in whole rounds. */
export function burstgpt(requests: number, rate: number): Trace {
  const lines = recordedBytes("requests/burstgpt_8000_lengths.csv.gz").toString().trim().split("\n");
  const rows = lines.slice(1, 1 + requests).map((line) => line.split(",").map(Number));
  let state = 1;
  let clock = 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const arrival = () => {
    if (rate > 0) clock -= Math.log(next()) / rate;
    return Math.floor(clock);
  };
  return {
    requests: rows.length,
    arrival: Float64Array.from(rows, arrival),
    input: Int32Array.from(rows, ([input]) => input),
    output: Int32Array.from(rows, ([, output]) => Math.max(1, output)),
  };
}
