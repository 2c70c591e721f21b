import type { Simulated } from "../simulator/simulated.ts";

type Times = Pick<Simulated, "arrival" | "firstToken" | "finish">;

/** TTFT of requests from `first` on, in the order of arrival, and TPOT of those that have two tokens or more. */
export function latenciesFrom({ arrival, firstToken, finish }: Times, output: Int32Array, first: number) {
  const ttft: number[] = [];
  const tpot: number[] = [];
  for (let i = first; i < output.length; i++) {
    ttft.push(firstToken[i] - arrival[i]);
    if (output[i] > 1) tpot.push((finish[i] - firstToken[i]) / (output[i] - 1));
  }
  return { ttft, tpot };
}
