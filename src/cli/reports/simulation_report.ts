import { caching } from "../../serving/caching/caching.ts";
import type { SimulateOptions } from "../../serving/simulator/options.ts";
import { simulate } from "../../serving/simulator/simulate.ts";
import type { Series, Simulated, Summary } from "../../serving/simulator/simulated.ts";
import { generateTrace } from "../../serving/trace/generate_trace.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { latencyCdfs } from "./latency_cdf.ts";
import type { SimulationBound } from "./mean_bound.ts";
import { policyOf } from "./routes.ts";
import { type Combination, schedulingOf } from "./schedules.ts";
import { type Figures, figuresOf } from "./simulation_figures.ts";
import type { Setting } from "./simulation_setting.ts";

export interface PolicyReport extends Combination {
  /** Means over the seeds. */
  figures: Figures;
  /** [seeds] */
  summaries: Summary[];
  /** Mean latency over its bound, where there is one. */
  overBound?: number;
}

/** Everything that `simulate` has to say; `simulate --json` prints it as it is. */
export interface SimulationReport extends Setting {
  policies: PolicyReport[];
  /** The name of the one among them that the others are compared with. */
  reference: string;
  /** What no policy beats, or why nothing is known of that; undefined where nobody asks. */
  bound?: SimulationBound | { none: string };
}

/** What there is to draw of a policy, of the first seed. */
export interface Drawing {
  policy: string;
  series: Series;
  cdfs: ReturnType<typeof latencyCdfs>;
}

export interface Simulations {
  report: SimulationReport;
  drawings: Drawing[];
  /** The trace of the first seed, and what became of it under one policy. */
  kept?: { trace: Trace; result: Simulated };
}

/**
 * Simulates every policy on the requests of every seed.
 *
 * @param reference  the name of the one that the others are compared with.
 * @param keep  the name of the one whose run is handed over as a whole.
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function simulateAll(
  recorded: Trace,
  setting: Setting,
  { combinations, reference }: { combinations: readonly Combination[]; reference: string },
  keep: string | undefined,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Simulations> {
  const { seeds, warmUp } = setting;
  const summaries = new Map(combinations.map(({ policy }): [string, Summary[]] => [policy, []]));
  const drawings: Drawing[] = [];
  let kept: Simulations["kept"];
  for (const [s, seed] of seeds.entries()) {
    const trace = traceOf(recorded, setting, seed);
    for (const [p, combination] of combinations.entries()) {
      const { policy } = combination;
      const done = s * combinations.length + p;
      const onShare = (share: number) => onProgress((done + share) / (seeds.length * combinations.length));
      const result = await simulate(trace, optionsOf(setting, combination, trace, seed, onShare, signal));
      summaries.get(policy)!.push(result.summary);
      if (s > 0) continue;
      drawings.push({ policy, series: result.series, cdfs: latencyCdfs(trace, result, warmUp) });
      if (policy === keep) kept = { trace, result };
    }
  }
  const reports = combinations.map((combination): PolicyReport => {
    const own = summaries.get(combination.policy)!;
    const figures = figuresOf(own, combination.policy === reference ? undefined : summaries.get(reference));
    return { ...combination, figures, summaries: own };
  });
  return { report: { ...setting, policies: reports, reference }, drawings, kept };
}

/** What comes with a seed. */
export function traceOf(recorded: Trace, setting: Setting, seed: number): Trace {
  return withClasses(withArrivals(recorded, setting, seed), setting.classes);
}

/** The first requests of a trace. */
export function firstOf(trace: Trace, requests: number): Trace {
  if (requests >= trace.requests) return trace;
  const { blocks, images } = trace;
  return {
    requests,
    arrival: trace.arrival.slice(0, requests),
    input: trace.input.slice(0, requests),
    output: trace.output.slice(0, requests),
    session: trace.session?.slice(0, requests),
    class: trace.class?.slice(0, requests),
    value: trace.value?.slice(0, requests),
    blocks: blocks && {
      start: blocks.start.slice(0, requests + 1),
      id: blocks.id.slice(0, blocks.start[requests]),
      tokens: blocks.tokens,
    },
    images: images && {
      start: images.start.slice(0, requests + 1),
      id: images.id.slice(0, images.start[requests]),
      tokens: images.tokens,
    },
  };
}

/** Drawn from the trace, or the same in the same order, so that sessions and prefixes stay what they are: then only when they come is drawn. */
function withArrivals(trace: Trace, { rate, drawn, requests }: Setting, seed: number): Trace {
  if (rate === undefined) return trace;
  const arrivals = rate === "inf" ? ({ rate: 1, arrivals: "burst" } as const) : { rate };
  const { input, output } = trace;
  const made = generateTrace({ requests, seed, lengths: { input, output }, ...arrivals });
  return drawn ? made : { ...trace, arrival: made.arrival };
}

export function withClasses(trace: Trace, bounds: readonly number[] | undefined): Trace {
  if (bounds === undefined) return trace;
  const classOf = (tokens: number) => bounds.filter((bound) => tokens > bound).length;
  return { ...trace, class: trace.input.map(classOf) };
}

function optionsOf(
  setting: Setting,
  { route, schedule }: Combination,
  trace: Trace,
  seed: number,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): SimulateOptions {
  const { workers, slots, kvTokens, stepTime, prefill, pool } = setting;
  const { clock, barrier, prediction, staleness, tooLarge, slo, warmUp, horizon, eviction } = setting;
  const some = (count: number) => Array.from({ length: count }, () => ({ slots, kvTokens, stepTime }));
  return {
    ...{ workers: some(workers), clock, barrier, prediction, staleness, tooLarge, slo, warmUp, seed },
    ...{ signal, onProgress, eviction },
    routing: policyOf(route, horizon),
    caching: caching[setting.caching](),
    scheduling: schedulingOf(schedule, { trace, workers, stepTime }),
    prefill:
      typeof prefill === "object" && "workers" in prefill
        ? { pool: some(prefill.workers), bandwidth: prefill.bandwidth }
        : prefill,
    arrivals: pool === undefined ? "replay" : { pool },
  };
}
