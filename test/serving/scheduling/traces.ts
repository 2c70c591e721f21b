import { seeded } from "../../../src/common/random.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

export interface Arriving {
  rate: number;
  input: number;
  output: number;
}

/** Poisson arrivals of each class until `end`; lengths are the class's, times e^(spread x normal). */
export function mixedTrace(classes: readonly Arriving[], end: number, seed: number, spread = 0): Trace {
  const all: { arrival: number; input: number; output: number; of: number }[] = [];
  for (const [of, { rate, input, output }] of classes.entries()) {
    const random = seeded(seed * 100 + of);
    const length = (tokens: number) => (spread === 0 ? tokens : Math.ceil(tokens * Math.exp(spread * random.normal())));
    for (let arrival = 0; ; ) {
      arrival -= Math.log(1 - random.next()) / rate;
      if (arrival > end) break;
      all.push({ arrival, input: length(input), output: length(output), of });
    }
  }
  all.sort((a, b) => a.arrival - b.arrival);
  return {
    requests: all.length,
    arrival: Float64Array.from(all, ({ arrival }) => arrival),
    input: Int32Array.from(all, ({ input }) => input),
    output: Int32Array.from(all, ({ output }) => output),
    class: Int32Array.from(all, ({ of }) => of),
  };
}
