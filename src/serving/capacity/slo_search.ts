import type { Slo } from "../simulator/options.ts";
import { busyShare } from "./co_located.ts";
import type { DrawnLengths } from "./drawn_lengths.ts";
import { requireWithinReach } from "./lone_request.ts";
import type { RequestWork } from "./request_work.ts";
import { type FleetLatency, fleetLatency } from "./simulated_fleet.ts";
import type { WorkerSettings } from "./sustained_rate.ts";

export interface Search extends WorkerSettings {
  lengths: DrawnLengths;
  rate: number;
  slo: Slo;
  percentile: number;
  work: RequestWork;
  /** Requests per s that a worker can serve at most. */
  mu: number;
}

/** What a simulation said of a fleet. */
interface Trial {
  latency: FleetLatency;
  /** ln of the larger of TTFT / limit and TPOT / limit, some standard errors above what was found: at most 0 where the SLO is met. */
  excess: number;
  /** Its standard error. */
  error: number;
  /** The share of the requests by which it was found. */
  effort: number;
}

/** Of the logarithm of latency against that of size, before two trials tell. */
const FIRST_STEEPNESS = 0.5;
const LEAST_STEEPNESS = 0.02;
/** So that the other side is reached, in larger and larger steps but none that is too large. */
const OVERSHOOT = 1.2;
const MOST_FACTOR = 2;
/** Of a worker's time in the first guess, however near the SLO is to an empty step. */
const LEAST_BUSY = 0.1;
/** A large fleet's size is found no more exactly. */
const GRAIN = 0.01;
/** Workers that are simulated at most: of more each sees about the same. */
const MOST_SIMULATED = 48;
/** With so few requests per worker at a time hardly any meets another: the SLO is met, as a lone one's is. */
const ALONE = 1e-3;
/** Standard errors that a fleet must have to spare. */
const MARGIN = 0.7;
/** Of the rate: as much more must be served, since no rate is known better. Near saturation it makes all the difference. */
export const RESERVE = 0.01;
/** Of the requests, for what is to be found roughly. */
const ROUGH = 0.2;
/** Standard errors by which that tells. */
const SURE = 4;
/** ln of nearly nothing; finite, so that chords are. */
const NOTHING = -99;
/** Of the rate that one more worker adds. */
const PRECISION = 0.05;

/**
 * The fewest workers that meet the SLO, from `least` on, and the rate that one more adds.
 *
 * @throws {ArgumentError} None do.
 */
export function fewestWithin(search: Search, least: number) {
  requireWithinReach(search);
  const trials = new Map<number, Trial>();
  let tooFew = least - 1;
  let enough = Number.POSITIVE_INFINITY;
  for (let workers = Math.max(least, fluidSize(search)); ; ) {
    const trial = trials.has(workers) ? tryOut(search, workers, search.rate, 1) : tried(search, workers);
    trials.delete(workers); // so that the last two are the last of all
    trials.set(workers, trial);
    if (trial.excess <= 0) enough = workers;
    else tooFew = workers;
    if (enough <= tooFew) enough = Number.POSITIVE_INFINITY; // it seemed to be enough, by fewer requests
    if (enough - tooFew > Math.max(1, GRAIN * tooFew)) {
      workers = nextSize(workers, tooFew, enough, trials);
    } else {
      workers = enough;
      const { latency, effort } = trials.get(workers)!;
      if (effort === 1) return { workers, latency, next: rateOfNext(search, workers, trials) };
    }
  }
}

/** From the first guess on along the chord of the last two, a little further; then between the last that is too few and the first that is enough. */
function nextSize(workers: number, tooFew: number, enough: number, trials: ReadonlyMap<number, Trial>): number {
  const excess = (size: number) => trials.get(size)?.excess;
  const below = excess(tooFew);
  const within = (size: number) => Math.min(enough - 1, Math.max(tooFew + 1, size));
  if (enough < Number.POSITIVE_INFINITY && below !== undefined) {
    // Latencies run off towards saturation, so that a chord between near sizes alone is to be trusted.
    const part = below < 1 ? below / (below - excess(enough)!) : 0.5;
    return within(Math.round(tooFew + part * (enough - tooFew)));
  }
  const sizes = [...trials.keys()];
  const before = sizes[sizes.length - 2];
  const now = excess(workers)!;
  const steepness = before === undefined ? FIRST_STEEPNESS : (excess(before)! - now) / Math.log(workers / before);
  const factor = Math.exp((OVERSHOOT * now) / Math.max(LEAST_STEEPNESS, steepness));
  const size = Math.round(workers * Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, factor)));
  return within(now > 0 ? Math.max(workers + 1, size) : Math.min(workers - 1, size));
}

/** By a part of the requests where that is enough to tell. */
function tried(search: Search, workers: number): Trial {
  const roughly = tryOut(search, workers, search.rate, ROUGH);
  return Math.abs(roughly.excess) > SURE * roughly.error ? roughly : tryOut(search, workers, search.rate, 1);
}

/** As the fluid has it: a first guess. */
function fluidSize(search: Search): number {
  const { ttft = Number.POSITIVE_INFINITY, tpot = Number.POSITIVE_INFINITY } = search.slo;
  const busy = Math.max(LEAST_BUSY, busyShare(search.lengths, { ...search, ttft, tpot }));
  return Math.ceil((search.rate * search.work.seconds) / busy);
}

function tryOut(search: Search, workers: number, rate: number, effort: number): Trial {
  const { slo, stepTime, work, mu, kvTokens, slots } = search;
  const simulated = Math.min(workers, MOST_SIMULATED);
  const each = rate / workers;
  const fullStep = stepTime.base + (kvTokens / work.tokenSteps) * work.seconds;
  const spare = 1 - each * work.seconds;
  const step = Math.min(fullStep, spare > 0 ? stepTime.base / spare : Number.POSITIVE_INFINITY);
  const load = Math.min(0.95, each / mu);
  const latency = fleetLatency({
    ...{ ...search, effort },
    ...{
      workers: simulated,
      rate: each * (1 + RESERVE) * simulated,
      relaxation: (work.lastingSteps * step) / (1 - load),
    },
    worker: { stepTime, kvTokens, slots: Math.min(slots, Number.MAX_SAFE_INTEGER) },
  });
  const excesses = (["ttft", "tpot"] as const).map((name) => {
    const { value, error } = latency[name];
    const limit = slo[name] ?? Number.POSITIVE_INFINITY;
    // Where no request has a second token there is no TPOT.
    if (value === 0) return { excess: NOTHING, error: 0 };
    return { excess: Math.log((value + MARGIN * error) / limit), error: error / value };
  });
  const { excess, error } = excesses[0].excess > excesses[1].excess ? excesses[0] : excesses[1];
  const alone = each * (work.steps * stepTime.base + work.seconds) < ALONE;
  return { latency, excess: alone ? Math.min(0, excess) : excess, error, effort };
}

/** What each worker can serve within the SLO, between what it does serve with this many workers and with one fewer. */
function rateOfNext(search: Search, workers: number, trials: ReadonlyMap<number, Trial>): number {
  const tooFew = trials.get(workers - 1);
  let low = { rate: search.rate / workers, excess: trials.get(workers)!.excess };
  const fewer = workers > 1 ? search.rate / (workers - 1) : Number.POSITIVE_INFINITY;
  let high = { rate: Math.min(search.mu, fewer), excess: tooFew?.excess ?? Number.POSITIVE_INFINITY };
  while (high.rate / low.rate > 1 + PRECISION) {
    const rate = (low.rate + high.rate) / 2;
    const { excess } = tryOut(search, workers, rate * workers, ROUGH);
    if (excess <= 0) low = { rate, excess };
    else high = { rate, excess };
  }
  if (high.excess === Number.POSITIVE_INFINITY) return low.rate;
  return low.rate + ((high.rate - low.rate) * low.excess) / (low.excess - high.excess);
}
