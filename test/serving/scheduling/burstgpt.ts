import type { Trace } from "../../../src/serving/trace/trace.ts";
import { recordedBytes } from "../../helpers/recorded.ts";
import { traceOf } from "./hand.ts";

/** The first 1,000 BurstGPT requests; at 0, or Poisson by a linear congruential generator of its own, in whole rounds. */
export function burstgpt(rate: number): Trace {
  const lines = recordedBytes("requests/burstgpt_8000_lengths.csv.gz").toString().trim().split("\n").slice(1, 1001);
  let state = 1;
  let clock = 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return traceOf(
    lines.map((line) => {
      const [input, output] = line.split(",").map(Number);
      if (rate > 0) clock -= Math.log(next()) / rate;
      return [input, Math.max(1, output), Math.floor(clock)] as const;
    }),
  );
}
