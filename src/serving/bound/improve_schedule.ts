import { requireCalls } from "../../common/calls.ts";
import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { requireNumbers } from "../../common/numbers.ts";
import type { FieldsOf } from "../../common/objects.ts";
import { Pauses } from "../../common/pauses.ts";
import { seeded } from "../../common/random.ts";
import type { Trace } from "../trace/trace.ts";
import { type BoundOptions, type BoundPrices, type BoundSettings, boundSettings } from "./bound_options.ts";
import { listSchedule, volumeSchedule } from "./list_schedule.ts";
import { type RoundRequests, roundRequests, type Schedule, totalLatency } from "./round_requests.ts";
import { RoundUsage } from "./round_usage.ts";
import { RuinAndRecreate } from "./ruin_and_recreate.ts";
import { searchedPrices } from "./searched_prices.ts";
import { checkPrices, StartCosts } from "./start_costs.ts";

export interface ImproveOptions extends BoundOptions {
  /** Of memory and slots, for the schedules that the search begins with. By default those of a `latencyBound` of 300 evaluations. */
  prices?: BoundPrices;
  /** [n] A schedule to begin with, if it is better than those; it must fit. */
  start?: ArrayLike<number>;
  /** [n] Its workers. Default: all on worker 0. */
  worker?: ArrayLike<number>;
  /** Steps of the search; 500 for each request by default. */
  iterations?: number;
  /** Default 0. */
  seed?: number;
  signal?: AbortSignal;
  /** Share of the iterations that are done. */
  onProgress?: (share: number) => void;
}

export interface ImprovedSchedule extends Schedule {
  /** Rounds: sum over the requests of start + output - arrival. */
  total: number;
  mean: number;
}

const fields = {
  ...{ prices: true, start: true, worker: true, iterations: true, seed: true, signal: true },
  onProgress: true,
} as const satisfies FieldsOf<Omit<ImproveOptions, keyof BoundOptions>>;

const STEPS_PER_REQUEST = 500;
const EVALUATIONS = 300;
/** Tolerances of the price policy, in rounds, whose schedules are tried. */
const TOLERANCES = [0, 0.5, 2, 5, 20];
/** Temperatures at the beginning and at the end, in mean outputs. */
const HOT = 1 / 6;
const COLD = 1 / 120;
/** Steps between two looks at the clock. */
const PIECE = 64;

/**
 * The best schedule that is found for a trace whose outputs are known: with `latencyBound` from below, how much is left to gain. Requests start
 * once and run to their end, so that it is one for either kind of preemption.
 *
 * It begins with the best of SVF's schedule, the price policy's, and the one that is given, and improves it by ruin and recreate with simulated annealing.
 * No proof of anything: only the bound says how near the optimum is. A signal that is aborted ends it with an error; the event loop is left free.
 *
 * @returns total, mean: latency in rounds; start, worker [n]: the request makes its tokens in the rounds start + 1 .. start + output, and in none does a
 * worker hold more than kvTokens, or run more than `slots`. The same trace, options and seed give the same schedule on every machine.
 * @throws {ArgumentError} An option or the trace is out of range; the schedule that is given does not fit.  @throws the signal's reason.
 */
export async function improveSchedule(trace: Trace, options: ImproveOptions): Promise<ImprovedSchedule> {
  const settings = boundSettings(trace, options, fields);
  const requests = roundRequests(trace, settings);
  const { iterations = STEPS_PER_REQUEST * requests.count, seed = 0, signal, onProgress } = checked(options);
  const given = givenSchedule(requests, settings, options);
  const pauses = new Pauses(signal);
  signal?.throwIfAborted();
  const prices = options.prices ?? (await searchedPrices(trace, options, EVALUATIONS));
  let best = await listSchedules(requests, settings, prices, pauses);
  if (given !== undefined && totalLatency(requests, given.start) < totalLatency(requests, best.start)) best = given;
  if (requests.count > 0 && iterations > 0)
    best = await search(requests, settings, best, { iterations, seed, pauses, onProgress });
  onProgress?.(1);
  const total = totalLatency(requests, best.start);
  return { total, mean: requests.count === 0 ? 0 : total / requests.count, ...best };
}

function checked(options: ImproveOptions): ImproveOptions {
  const { prices, start, worker, iterations = 0, seed = 0 } = options;
  if (prices !== undefined) checkPrices(prices);
  if (worker !== undefined && start === undefined)
    throw new ArgumentError("start", "the starts of the schedule whose workers are given", start);
  if (!(Number.isSafeInteger(iterations) && iterations >= 0))
    throw new ArgumentError("iterations", "an integer >= 0", iterations);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  requireCalls(options);
  return options;
}

/** @throws {ArgumentError} It does not fit. */
function givenSchedule(
  { count, release, input, output }: RoundRequests,
  { workers, kvTokens, slots }: BoundSettings,
  { start: starts, worker: places = new Int32Array(count) }: ImproveOptions,
): Schedule | undefined {
  if (starts === undefined) return undefined;
  for (const [name, values] of Object.entries({ start: starts, worker: places })) {
    requireNumbers(name, values);
    if (values.length !== count) throw new ShapeError(name, `${count} values`, values.length);
  }
  const usage = new RoundUsage(workers, kvTokens, slots);
  for (let i = 0; i < count; i++) {
    const k = starts[i];
    const g = places[i];
    if (!(Number.isInteger(g) && g >= 0 && g < workers))
      throw new ArgumentError(`worker[${i}]`, `an integer from 0 to ${workers - 1}`, g);
    if (!(Number.isInteger(k) && k >= release[i] && k < 2 ** 28))
      throw new ArgumentError(`start[${i}]`, `an integer from ${release[i]}, the arrival, to 2^28 - 1`, k);
    if (!usage.fits(g, input[i], output[i], k))
      throw new ArgumentError(`start[${i}]`, `one at which it fits beside those before it on worker ${g}`, k);
    usage.add(g, input[i], output[i], k);
  }
  return { start: Int32Array.from(starts), worker: Int32Array.from(places) };
}

/** The best of a few. */
async function listSchedules(
  requests: RoundRequests,
  settings: BoundSettings,
  prices: BoundPrices,
  pauses: Pauses,
): Promise<Schedule> {
  let best = await volumeSchedule(requests, settings, pauses);
  let least = totalLatency(requests, best.start);
  const costs = new StartCosts(prices);
  for (const tolerance of TOLERANCES) {
    const schedule = await listSchedule(requests, settings, costs, tolerance, pauses);
    const total = totalLatency(requests, schedule.start);
    if (total >= least) continue;
    least = total;
    best = schedule;
  }
  return best;
}

interface SearchOptions {
  iterations: number;
  seed: number;
  pauses: Pauses;
  onProgress: ((share: number) => void) | undefined;
}

/** Simulated annealing (S. Kirkpatrick et al., Science 220, 1983). */
async function search(
  requests: RoundRequests,
  settings: BoundSettings,
  first: Schedule,
  { iterations, seed, pauses, onProgress }: SearchOptions,
): Promise<Schedule> {
  const meanOutput = requests.output.reduce((sum, o) => sum + o, 0) / requests.count;
  const schedule = { start: first.start.slice(), worker: first.worker.slice() };
  const ruin = new RuinAndRecreate(requests, settings, schedule, seeded(seed));
  const best = { start: first.start.slice(), worker: first.worker.slice() };
  let least = ruin.sum;
  for (let step = 0; step < iterations; step++) {
    if (step % PIECE === 0 && pauses.due) {
      onProgress?.(step / iterations);
      await pauses.take();
    }
    ruin.step(HOT * meanOutput * (COLD / HOT) ** (step / iterations));
    if (ruin.sum >= least) continue;
    least = ruin.sum;
    best.start.set(schedule.start);
    best.worker.set(schedule.worker);
  }
  return best;
}
