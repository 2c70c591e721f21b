import { IDLE_WATTS, LOAD_WATTS } from "../simulator/meter.ts";
import { BINS, BINS_OF_OCTAVE, type ReplayCounts } from "../twins/replay_state.ts";
import type { ScenarioLabel, SweepPlan } from "./scenarios.ts";

/** Of a time that each request has, in s, or rounds; percentiles within 1 %. NaN where none has. */
export interface SweptSpread {
  mean: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
}

/**
 * What became of a scenario. Names are those of `Summary`, and so is what they mean: throughputs and energy are of the span from 0 to the last start. Times are
 * s, or rounds, made of whole microseconds (2^-20 rounds): the same on every backend.
 */
export interface SweptScenario extends ScenarioLabel {
  /** Its place in the grid. */
  index: number;
  requests: number;
  completed: number;
  /** Larger than a worker's memory. */
  rejected: number;
  makespan: number;
  steps: number;
  evictions: number;
  /** Tokens lost by them. */
  wastedTokens: number;
  /** From arrival to the first start, on average. */
  wait: number;
  ttft: SweptSpread;
  /** Of requests with two tokens or more; each in whole microseconds, rounded down. */
  tpot: SweptSpread;
  /** From arrival to finish, on average. */
  latency: number;
  requestThroughput: number;
  tokenThroughput: number;
  /** tokenThroughput / workers. */
  workerThroughput: number;
  /** Finished requests that met the SLO per s of the span; and the share of all that come that do. Undefined without an SLO. */
  goodput?: number;
  attainment?: number;
  /** J of the span: 100 W a worker, and 300 W more while it steps. */
  energy: number;
  /** J per token of the span. */
  energyPerToken: number;
}

/** What a backend counts of a scenario. */
export interface RawScenario {
  counts: ReplayCounts;
  /** [BINS] */
  ttft: Uint32Array;
  tpot: Uint32Array;
}

export function sweptScenario(
  { ticks, rejected }: Pick<SweepPlan, "ticks" | "rejected">,
  label: ScenarioLabel,
  index: number,
  { counts, ttft, tpot }: RawScenario,
  hasSlo: boolean,
): SweptScenario {
  const requests = counts.served + rejected;
  // Where all begin at once there is no time between the first start and the last: then all of it counts.
  const span =
    counts.spanTime > 0
      ? {
          time: counts.spanTime,
          served: counts.spanServed,
          good: counts.spanGood,
          tokens: counts.spanTokens,
          busy: counts.spanBusy,
        }
      : { time: counts.makespan, served: counts.served, good: counts.good, tokens: counts.tokens, busy: counts.busy };
  const seconds = span.time / ticks;
  const energy = (LOAD_WATTS * span.busy) / ticks + IDLE_WATTS * label.workers * seconds;
  const tokenThroughput = span.tokens / seconds;
  const time = (sum: number, of: number) => sum / of / ticks;
  return {
    index,
    ...label,
    ...{ requests, completed: counts.served, rejected },
    makespan: counts.makespan / ticks,
    ...{ steps: counts.steps, evictions: counts.evictions, wastedTokens: counts.wasted },
    wait: time(counts.wait, counts.served),
    ttft: { mean: time(counts.ttft, counts.served), ...percentiles(ttft, ticks) },
    tpot: { mean: time(counts.tpot, counts.several), ...percentiles(tpot, ticks) },
    latency: time(counts.latency, counts.served),
    requestThroughput: span.served / seconds,
    tokenThroughput,
    workerThroughput: tokenThroughput / label.workers,
    ...(hasSlo && { goodput: span.good / seconds, attainment: counts.good / requests }),
    energy,
    energyPerToken: energy / span.tokens,
  };
}

/** Each the middle of the bin that holds the time that as large a share of all reaches at most. */
function percentiles(bins: Uint32Array, ticks: number): Omit<SweptSpread, "mean"> {
  const total = bins.reduce((sum, count) => sum + count, 0);
  const at = (share: number): number => {
    let left = Math.ceil(share * total);
    for (let bin = 0; bin < BINS; bin++) {
      left -= bins[bin];
      if (left <= 0 && total > 0) return middleOf(bin) / ticks;
    }
    return Number.NaN;
  };
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

/** Of the whole times in it. */
function middleOf(bin: number): number {
  if (bin < 2 * BINS_OF_OCTAVE) return bin;
  const width = 2 ** (Math.floor(bin / BINS_OF_OCTAVE) - 1);
  return (BINS_OF_OCTAVE + (bin % BINS_OF_OCTAVE)) * width + (width - 1) / 2;
}
