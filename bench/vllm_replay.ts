/** A logged run simulated, and how far the simulation is from the log. */
import { routing, type Simulated, type StepTime, simulate, type Trace } from "../src/serving.ts";
import { WORKERS } from "./vllm_fit.ts";
import type { RunLog } from "./vllm_log.ts";

/** Per worker, as the run's meta.json says beside its log: max_num_seqs, and max_num_batched_tokens (of which vLLM takes the decode tokens off first). */
export const SLOTS = 128;
const CHUNK = 2048;
/** More than was ever needed: the run evicted nobody. */
const KV_TOKENS = 500_000;

/** Requests by their index: from, and up to but without to. */
export type Part = readonly [from: number, to: number];

/** Mean of |predicted - recorded| / recorded over a part's requests. */
export interface Errors {
  /** From arrival to the last token. */
  latency: number;
  /** From arrival to the first. */
  ttft: number;
  /** Per token after it. */
  tpot: number;
}

type Times = Pick<Simulated, "firstToken" | "finish">;

/** Serves the log's requests, as they arrived, as vLLM did: nothing but their arrivals and lengths is taken from the log. */
export function replay({ requests, arrival, input, output }: RunLog, stepTime: StepTime): Promise<Simulated> {
  return serve({ requests, arrival, input, output }, stepTime);
}

/**
 * The same of an engine that plans a step while the one before it runs, as vLLM by default does: who arrives in one step is not in the
 * next, but in the one after it. The simulator plans when a step begins; here each request arrives later by what a step without
 * prefill lasted at its arrival in a first simulation.
 */
export async function replayPlannedAhead(log: RunLog, stepTime: StepTime): Promise<Simulated> {
  const { series } = await replay(log, stepTime);
  const interval = series.time[1] - series.time[0];
  const arrival = log.arrival.map((time) => {
    const t = Math.min(series.time.length - 1, Math.floor(time / interval));
    let longest = 0;
    for (let g = t * WORKERS; g < (t + 1) * WORKERS; g++) {
      const seconds = stepTime.perSequence * series.running[g] + stepTime.perKvToken * series.load[g];
      longest = Math.max(longest, stepTime.base + seconds);
    }
    return time + longest;
  });
  for (let i = 1; i < arrival.length; i++) arrival[i] = Math.max(arrival[i], arrival[i - 1]);
  const { requests, input, output } = log;
  return serve({ requests, arrival, input, output }, stepTime);
}

function serve(trace: Trace, stepTime: StepTime): Promise<Simulated> {
  const workers = Array.from({ length: WORKERS }, () => ({ slots: SLOTS, kvTokens: KV_TOKENS, stepTime }));
  const prefill = { chunk: CHUNK };
  return simulate(trace, { workers, clock: "seconds", barrier: true, prefill, routing: routing.waitingRunning() });
}

/** Latencies count from the log's arrivals. Requests of one token have no TPOT. */
export function errorsOf(log: RunLog, predicted: Times, [from, to]: Part): Errors {
  const recorded = { firstToken: log.firstToken, finish: log.lastToken };
  const mean = (of: (times: Times, i: number) => number) => {
    let [sum, count] = [0, 0];
    for (let i = from; i < to; i++) {
      const truth = of(recorded, i);
      if (!(truth > 0)) continue;
      sum += Math.abs(of(predicted, i) - truth) / truth;
      count++;
    }
    return sum / count;
  };
  return {
    latency: mean(({ finish }, i) => finish[i] - log.arrival[i]),
    ttft: mean(({ firstToken }, i) => firstToken[i] - log.arrival[i]),
    tpot: mean(({ firstToken, finish }, i) => (finish[i] - firstToken[i]) / (log.output[i] - 1)),
  };
}

export interface RunningAt {
  /** s */
  time: number;
  recorded: number;
  predicted: number;
}

/** Requests that run at the end of each tick. */
export function runningAtTicks({ ticks }: RunLog, { start, finish }: Simulated): RunningAt[] {
  return ticks.map(({ end, running }) => {
    const predicted = start.reduce((count, from, i) => count + (from <= end && end < finish[i] ? 1 : 0), 0);
    return { time: end, recorded: running, predicted };
  });
}
