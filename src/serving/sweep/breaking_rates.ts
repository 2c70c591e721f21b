import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { Pauses } from "../../common/pauses.ts";
import { checkTrace, type Trace } from "../trace/trace.ts";
import { checkBackend, chooseReplays } from "./choose_replays.ts";
import { labelsOf, planSweep, type ScenarioLabel } from "./scenarios.ts";
import type { SweepOptions } from "./sweep.ts";
import {
  type GridSettings,
  gridSettings,
  type SweepGrid,
  type SweptRouting,
  type SweptScheduling,
} from "./sweep_grid.ts";
import type { RawScenario } from "./swept.ts";

export interface BreakingRateOptions extends Omit<SweepOptions, "shard"> {
  /** Share of the requests of all seeds, in (0, 1], that meet the SLO where it holds: 0.99 by default. */
  attainment?: number;
}

const fields: FieldsOf<BreakingRateOptions> = {
  ...{ attainment: true, backend: true, device: true, signal: true, onProgress: true },
};

/** How much a configuration can serve within the SLO. */
export interface BreakingRate {
  routing: SweptRouting;
  scheduling: SweptScheduling;
  workers: number;
  /** Requests per s, or round: the highest of those tried up to which the SLO holds; 0 where it holds at none. */
  holds: number;
  /** The lowest tried at which it breaks, at most 1.01 x `holds` where that is not 0; Infinity where it holds at all. */
  breaks: number;
  /** Share of the requests that meet the SLO at `holds`; NaN where that is 0. */
  attainment: number;
}

/** Rates that are tried at once for each configuration, and how near the two ends come. */
const TRIED = 8;
const PRECISION = 1.01;
/** Rounds that this takes: the first has a factor of 4 between two rates, each further one the ninth root of that. */
const ROUNDS = 4;
/** The first rates: up to twice what the slots could serve if prompts took nothing, from a small part of that on. */
const MOST = 2;
const LEAST = 4 ** (1 - TRIED);

/**
 * The rate at which each configuration of a grid breaks its SLO. Rates between the highest at which it holds and the lowest at which it does not are tried for all
 * configurations and seeds at once, until the two are within 1 %. What is said of these two was simulated; that an SLO which breaks does not hold again at a higher rate is taken for granted.
 *
 * @param grid  With `slo`, and without `rates`: the trace's arrivals are stretched, or drawn anew, to those that are tried.
 * @throws as `sweep`; {ArgumentError} there is no SLO, or there are rates.
 */
export async function breakingRates(
  trace: Trace,
  grid: SweepGrid,
  o: BreakingRateOptions = {},
): Promise<BreakingRate[]> {
  requireObject("options", o, fields);
  const { attainment = 0.99, backend = "auto", signal, onProgress = () => {} } = o;
  requireCalls(o);
  checkBackend(backend);
  if (!(attainment > 0 && attainment <= 1)) throw new ArgumentError("attainment", "a number in (0, 1]", attainment);
  const settings = gridSettings({ ...grid, rates: grid?.rates ?? [1] });
  if (grid.slo === undefined)
    throw new ArgumentError("slo", "limits, as a rate is asked for that meets them", undefined);
  if (grid.rates !== undefined) throw new ArgumentError("rates", "none, as they are what is asked for", grid.rates);
  checkTrace(trace);
  if (trace.requests === 0) throw new ArgumentError("trace", "one request at least", 0);
  const pauses = new Pauses(signal);
  const found = configurationsOf(settings).map((one) => new Search(one, ratePerWorker(trace, settings) * one.workers));
  for (let round = 0; round < ROUNDS; round++) {
    const open = found.filter((search) => search.isOpen);
    if (open.length > 0) await tryRates(open, (share) => onProgress((round + share) / ROUNDS));
  }
  onProgress(1);
  return found.map(({ answer }) => answer);

  async function tryRates(searches: readonly Search[], onShare: (share: number) => void): Promise<void> {
    const labels = searches.flatMap(({ answer: { routing, scheduling, workers }, rates }) =>
      rates.flatMap((rate) => settings.seeds.map((seed) => ({ routing, scheduling, workers, rate, seed }))),
    );
    const plan = planSweep(trace, settings, labels);
    const { replays } = await chooseReplays(backend, o.device, plan, labels.length, pauses);
    const good = new Float64Array(labels.length);
    const done = (place: number, { counts }: RawScenario) => {
      good[place] = counts.good;
    };
    await replays.run([...labels.keys()], done, onShare);
    const seeds = settings.seeds.length;
    const all = seeds * trace.requests;
    for (const [k, search] of searches.entries()) {
      const shares = search.rates.map((_, j) => {
        const first = (k * TRIED + j) * seeds;
        return good.subarray(first, first + seeds).reduce((sum, count) => sum + count, 0) / all;
      });
      search.narrow(shares, attainment);
    }
  }
}

type Configuration = Pick<ScenarioLabel, "routing" | "scheduling" | "workers">;

const configurationsOf = (settings: GridSettings): Configuration[] =>
  labelsOf({ ...settings, rates: [1], seeds: [0] }).map(({ routing, scheduling, workers }) => ({
    routing,
    scheduling,
    workers,
  }));

/** What a worker's slots could serve at most if each step made a token for each, and prompts took nothing. */
function ratePerWorker(trace: Trace, { worker, rounds }: GridSettings): number {
  const mean = (values: Int32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const input = mean(trace.input);
  const running = Math.max(1, Math.min(worker.slots, worker.kvTokens / input));
  const { base, perSequence, perKvToken } = worker.stepTime ?? { base: 1, perSequence: 0, perKvToken: 0 };
  const step = rounds ? 1 : base + running * (perSequence + perKvToken * input);
  return running / step / mean(trace.output);
}

/** Between two rates for a configuration. */
class Search {
  readonly answer: BreakingRate;
  /** [TRIED] to be tried next, ascending. */
  rates: number[];

  constructor(one: Configuration, most: number) {
    this.answer = { ...one, holds: 0, breaks: Number.POSITIVE_INFINITY, attainment: Number.NaN };
    this.rates = between(MOST * most * LEAST, MOST * most, TRIED - 1);
  }

  get isOpen(): boolean {
    return this.rates.length > 0;
  }

  /** @param shares  of the requests that meet the SLO at each of the rates. */
  narrow(shares: readonly number[], attainment: number): void {
    const { answer, rates } = this;
    const broken = shares.findIndex((share) => share < attainment);
    const holding = broken < 0 ? TRIED - 1 : broken - 1;
    if (broken >= 0) answer.breaks = rates[broken];
    if (holding >= 0) {
      answer.holds = rates[holding];
      answer.attainment = shares[holding];
    }
    const { holds, breaks } = answer;
    const isFound = holds === 0 || breaks === Number.POSITIVE_INFINITY || breaks <= PRECISION * holds;
    this.rates = isFound ? [] : between(holds, breaks, TRIED + 1).slice(1, -1);
  }
}

/** So many equal factors from one rate to another, both ends among them. */
const between = (low: number, high: number, factors: number): number[] =>
  Array.from({ length: factors + 1 }, (_, k) => (k === factors ? high : low * (high / low) ** (k / factors)));
