import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { Pauses } from "../../common/pauses.ts";
import type { Trace } from "../trace/trace.ts";
import { type AscentOptions, ascend } from "./ascent.ts";
import { type BoundOptions, type BoundPrices, boundSettings } from "./bound_options.ts";
import { Proof, priceUnit } from "./certify_bound.ts";
import { choosePricing } from "./choose_pricing.ts";
import { Dual } from "./dual.ts";
import { firstPrices, firstStarts } from "./first_prices.ts";
import { makeNonIncreasing } from "./non_increasing.ts";
import type { Pool } from "./pool.ts";
import { type Pricing, startsTried } from "./pricing.ts";
import { timedRequests } from "./timed_requests.ts";
import { type Window, windowsOf } from "./windows.ts";

export interface LatencyBound {
  /** Rounds of latency that all requests have together at the least, whoever schedules them: what `certifyBound` makes of the prices. */
  total: number;
  /** total / n, of a request; 0 where there is none. */
  mean: number;
  /** The proof, in whole multiples of 2^-30. At the same time shadow prices: what one more token of memory, or slot, would save in each round. */
  prices: BoundPrices;
  /** Of D, by every request. */
  evaluations: number;
  /** Who priced the starts of the search. */
  backend: "webgpu" | "cpu";
}

export interface LatencyBoundOptions extends BoundOptions {
  /** Most evaluations of D, by every request. Default 1,000. */
  evaluations?: number;
  /** Who prices starts: "webgpu", "cpu", or "auto" (default): the CPU, and a GPU where there is one and the CPU takes long. */
  backend?: "auto" | "webgpu" | "cpu";
  signal?: AbortSignal;
  /** Share of the evaluations that are done. */
  onProgress?: (share: number) => void;
}

const fields = { evaluations: true, backend: true, signal: true, onProgress: true } as const;
const backends = ["auto", "webgpu", "cpu"] as const;
const EVALUATIONS = 1000;
/** Prices are there for every round up to the last finish; those that never rise are all searched at once. */
const MOST_ROUNDS = 2 ** 26;
const MOST_RISING_NEVER = 2 ** 22;

/**
 * A lower bound of the total latency of every schedule of a trace, in rounds, with its proof: how far any policy is from the best at most, without
 * knowing the best. It is the Lagrangian dual of the hindsight program, which knows all requests beforehand: prices v_t of KV memory and w_t of slots
 * take the place of their limits, so that each request by itself has a cheapest start (`certifyBound` states the formula, and why it bounds).
 *
 * The search begins with the prices of a queue, or of a fluid (`first_prices.ts`), and climbs; the total is `certifyBound`'s, computed from the prices
 * alone. Workers are relaxed to one pool of memory and slots. Where few requests run at once the bound is
 * weak: of 3 to 5 requests the best schedule is 1.07 to 1.16 times the bound on average.
 *
 * Requests that come more than 2^20 rounds apart are bounded in windows, each by itself, and the prices added up: still a bound, since more prices than a window's
 * own only make its requests dearer; weaker where a window begins with a queue of the one before, of which it does not know.
 *
 * @param trace  Arrivals in rounds; those between two rounds begin with the next. Read, not kept.
 * @throws {ArgumentError} An option is missing, unknown or out of range, a request fits no worker, or the trace lasts 2^26 rounds or more, with "resume" 2^22.
 * @throws {DeviceError} backend is "webgpu", and there is no device, or it was lost.  @throws the signal's reason.
 * @see Jaillet et al., arXiv 2502.07115, for the program.
 */
export async function latencyBound(trace: Trace, o: LatencyBoundOptions): Promise<LatencyBound> {
  const { kvTokens, workers, slots, resume } = boundSettings(trace, o, fields);
  const { evaluations = EVALUATIONS, backend = "auto", signal, onProgress = () => {}, ...bounds } = o;
  checkSearch(evaluations, backend);
  requireCalls(o);
  requireRounds(lastFinish(trace.arrival, Int32Array.from(trace.output)), resume);
  signal?.throwIfAborted();
  const pauses = new Pauses(signal);
  const whole = inWholeRounds(trace);
  const pool = { memory: kvTokens * workers, slots: slots * workers };
  const start = await firstStarts(whole, pool, signal);
  const horizon = lastFinish(start, whole.output);
  requireRounds(horizon, resume);
  const prices = noPrices(horizon, o.slots !== undefined);
  const found = { evaluations: 0, backend: "cpu" as "webgpu" | "cpu" };
  let before = 0;
  // "resume" wants prices that never rise, which those of a later window would.
  for (const window of windowsOf(whole, resume)) {
    const weight = (window.end - window.first) / trace.requests;
    const climb = {
      ...{ evaluations, nonIncreasing: resume, pauses },
      onEvaluation: (done: number) => onProgress(before + (weight * done) / evaluations),
    };
    const { dual, pricing } = await searchWindow(whole, window, start, pool, backend, climb, prices);
    before += weight;
    found.evaluations = Math.max(found.evaluations, dual.evaluations);
    if (pricing.backend === "webgpu") found.backend = "webgpu";
  }
  const proven = await prove(trace, bounds, prices, pauses);
  onProgress(1);
  return { ...proven, mean: trace.requests === 0 ? 0 : proven.total / trace.requests, ...found };
}

function checkSearch(evaluations: number, backend: unknown): void {
  if (!Number.isInteger(evaluations) || evaluations < 1)
    throw new ArgumentError("evaluations", "an integer >= 1", evaluations);
  if (!backends.some((one) => one === backend))
    throw new ArgumentError("backend", `one of ${backends.join(", ")}`, backend);
}

/** Without preemption nobody finishes before it comes and has made its tokens. */
function requireRounds(rounds: number, resume: boolean): void {
  const most = resume ? MOST_RISING_NEVER : MOST_ROUNDS;
  if (rounds < most) return;
  const remedy = "Bound its parts one by one, and add up.";
  throw new ArgumentError("trace", `fewer than 2^${Math.log2(most)} rounds until it is served`, rounds, remedy);
}

const lastFinish = (start: ArrayLike<number>, output: Int32Array): number =>
  output.reduce((last, o, i) => Math.max(last, start[i] + o), 0);

function inWholeRounds(trace: Trace): Trace {
  const { requests, arrival, input, output } = trace;
  return {
    requests,
    arrival: Float64Array.from(arrival, Math.ceil),
    input: Int32Array.from(input),
    output: Int32Array.from(output),
  };
}

const noPrices = (horizon: number, slots: boolean): BoundPrices => {
  const kv = new Float64Array(horizon + 1);
  return slots ? { kv, slot: new Float64Array(horizon + 1) } : { kv };
};

/** Climbs with the requests of a window alone, and adds their prices to those of the whole. */
async function searchWindow(
  trace: Trace,
  { first, end, origin }: Window,
  start: Float64Array,
  pool: Pool,
  backend: "auto" | "webgpu" | "cpu",
  climb: Omit<AscentOptions, "schedule">,
  prices: BoundPrices,
): Promise<{ dual: Dual; pricing: Pricing }> {
  const requests = timedRequests(trace, first, end, origin);
  const starts = Int32Array.from(start.subarray(first, end), (k) => k - origin);
  const candidates = firstPrices(requests, starts, pool);
  const horizon = candidates[0].kv.length - 1;
  const pricing = await choosePricing(backend, requests, horizon, climb.pauses);
  try {
    const dual = new Dual(requests, pool, horizon, pricing);
    const schedule = starts.reduce((sum, k, i) => sum + k + requests.output[i] - requests.arrival[i], 0);
    const from = await ranked(dual, candidates, climb);
    let [{ prices: own, value: most }] = from;
    // A climb may end at an edge that another comes past: each has half of the evaluations that are left.
    for (const { prices: next } of from) {
      if (dual.evaluations === climb.evaluations) break;
      const evaluations = Math.ceil((dual.evaluations + climb.evaluations) / 2);
      const value = await ascend(dual, next, { ...climb, evaluations, schedule });
      if (value <= most) continue;
      most = value;
      own = next;
    }
    for (let t = 1; t <= horizon; t++) {
      prices.kv[origin + t] += own.kv[t];
      if (prices.slot && own.slot) prices.slot[origin + t] += own.slot[t];
    }
    return { dual, pricing };
  } finally {
    pricing.destroy();
  }
}

/** Prices to climb from, those of the largest D first. Without prices D is the outputs. */
async function ranked(dual: Dual, candidates: readonly BoundPrices[], climb: Omit<AscentOptions, "schedule">) {
  const { kv, slot } = candidates[0];
  const outputs = dual.requests.output.reduce((sum, o) => sum + o, 0);
  const starts = [{ prices: noPrices(kv.length - 1, slot !== undefined), value: outputs }];
  for (const prices of candidates.slice(0, climb.evaluations)) {
    if (climb.nonIncreasing) for (const side of sidesOf(prices)) makeNonIncreasing(side);
    const value = await dual.evaluate(prices);
    climb.onEvaluation(dual.evaluations);
    starts.push({ prices, value });
  }
  return starts.sort((a, b) => b.value - a.value);
}

const sidesOf = ({ kv, slot }: BoundPrices): Float64Array[] => (slot ? [kv, slot] : [kv]);

/** Rounds the prices down to what is proven exactly, and proves it; no prices prove the outputs alone, which may be more. */
async function prove(trace: Trace, bounds: BoundOptions, prices: BoundPrices, pauses: Pauses) {
  const unit = priceUnit(trace, prices);
  for (const side of sidesOf(prices)) {
    for (let t = 1; t < side.length; t++) side[t] = Math.floor(side[t] * unit) / unit;
  }
  const none = noPrices(prices.kv.length - 1, prices.slot !== undefined);
  const [found, least] = [await proofOf(trace, bounds, prices, pauses), await proofOf(trace, bounds, none, pauses)];
  return found.total >= least.total ? { total: found.total, prices } : { total: least.total, prices: none };
}

async function proofOf(trace: Trace, bounds: BoundOptions, prices: BoundPrices, pauses: Pauses) {
  const proof = new Proof(trace, bounds, prices);
  await pauses.inPieces(trace.requests, startsTried(prices.kv.length), (first, end) => proof.add(first, end));
  return proof.bound();
}
