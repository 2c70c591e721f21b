import { generateTrace, type Trace } from "../../src/serving.ts";

/** Made up: one prompt in ten is long, as when documents come in among chats. */
const lengths = {
  input: [300, 400, 350, 300, 450, 250, 300, 500, 350, 6000],
  output: [60, 40, 120, 80, 30, 200, 90, 50, 70, 150],
};

/** Poisson arrivals, in whole ms as the file has them that the command line reads. */
export function builtInTrace(requests: number, rate: number, seed: number): Trace {
  const trace = generateTrace({ requests, rate, seed, lengths });
  return { ...trace, arrival: trace.arrival.map((seconds) => Math.round(seconds * 1e3) / 1e3) };
}
