import { ArgumentError } from "../../common/errors.ts";
import { checkTrace, type Trace } from "../trace/trace.ts";
import { type SimulateOptions, settingsOf } from "./options.ts";
import type { Simulated } from "./simulated.ts";
import { Simulation } from "./simulation.ts";
import { summaryOf } from "./summary.ts";

/**
 * Serves a trace's requests by a routing and a scheduling policy, and says what became of them.
 *
 * A request of s prompt tokens that has generated j holds s + j KV tokens; each running one makes a token per step, and holds it in that step:
 * s + o at its peak. An evicted one loses its KV and begins again, at the same worker. What a policy may do is checked at every event, which
 * suffices since memory grows linearly in between. The same trace, options and seed give the same figures on every machine.
 *
 * Not handled: swapping KV to the host, blocks shared by running requests (each holds its whole prompt), speculative decoding.
 *
 * @param trace  Read, not kept.
 * @throws {ArgumentError} Before anything is simulated: an option or the trace is out of range, a request is larger than the memory.
 * @throws {PolicyError} A policy breaks a rule; it is named, with the request and the step.
 * @throws the signal's reason.
 * @see the model: Jaillet et al., arXiv 2502.07115 (rounds); Chen et al., arXiv 2601.17855 (barrier, closed pool).
 */
export async function simulate(trace: Trace, options: SimulateOptions): Promise<Simulated> {
  const settings = settingsOf(options);
  checkTrace(trace);
  if (Array.isArray(settings.slo) && !trace.class) {
    throw new ArgumentError("slo", "limits of all requests, as the trace has no classes", settings.slo);
  }
  if (settings.embeddings && !trace.images) {
    throw new ArgumentError("trace.images", "the images of its prompts, as there are caches for them", undefined);
  }
  const simulation = new Simulation(trace, settings);
  await simulation.run(options.signal, options.onProgress);
  const { arrival, start, firstToken, finish, worker, evictions } = simulation.requests;
  const summary = summaryOf(simulation, settings);
  return { arrival, start, firstToken, finish, worker, evictions, summary, series: simulation.series.series() };
}
