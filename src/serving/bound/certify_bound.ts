import { ShapeError } from "../../common/errors.ts";
import { requireNumbers } from "../../common/numbers.ts";
import { requireObject } from "../../common/objects.ts";
import type { Trace } from "../trace/trace.ts";
import { type BoundOptions, type BoundPrices, boundSettings } from "./bound_options.ts";

export interface CertifiedBound {
  /** Rounds of latency that all requests have together at the least, whoever schedules; 0 where nothing is proven. */
  total: number;
  /** Whether the prices prove it. */
  valid: boolean;
}

/**
 * What prices prove of every schedule of a trace, computed anew from the requests and the prices alone: no code of `latencyBound`'s search, no
 * tolerance, no rounding error. With v and w as prices of KV memory and slots, 0 beyond round T,
 *
 *   c_i(k) = k + o_i - a_i + sum_{t = k+1 .. k+o_i} ((s_i + t - k) v_t + w_t)        what request i costs if it starts at time k
 *   D(v, w) = sum_i min { c_i(k) : k >= a_i } - G M sum_t v_t - G B sum_t w_t  <=  total latency of every schedule
 *
 * since what a schedule holds of a round, M tokens and B slots of each worker at most, is paid for at its price. It holds for any v, w >= 0, with
 * eviction and a restart (what was lost is paid for, too), and with "resume" where no price rises: then the last o_i rounds before a finish
 * are the cheapest in which its tokens can be made. Prices that fit no bound prove nothing: negative or not finite ones, some that rise with "resume", of slots
 * that are not limited, or so large that no units of a round at the most are left for the sums.
 *
 * Every sum is whole in units of 2^-q, q <= 30 the largest for which all stay below 2^53; prices are rounded down to such units first, so that
 * whatever is given, what comes out is proven. The total is rounded up, as latencies are whole rounds: requests arrive at ceil(a_i), and
 * what they wait for that round is added, rounded down to 2^-20 of a round each.
 *
 * @param prices  kv [T + 1], and slot [T + 1] where `slots` is given; neither is kept.
 * @throws {ArgumentError} An option is missing, unknown or out of range, or a request fits no worker.  @throws {ShapeError} kv and slot differ in length.
 * @see Jaillet et al., arXiv 2502.07115, for the integer program whose linear relaxation this is the dual of.
 */
export function certifyBound(trace: Trace, o: BoundOptions, prices: BoundPrices): CertifiedBound {
  const proof = new Proof(trace, o, prices);
  proof.add(0, trace.requests);
  return proof.bound();
}

/** The sum of D, request by request: for whoever must not hold up others meanwhile. */
export class Proof {
  /** Whether the prices prove anything. */
  readonly valid: boolean;
  private readonly unit: number = 1;
  private readonly kv: Float64Array = new Float64Array(0);
  private readonly slot: Float64Array | undefined;
  /** In units. */
  private total = 0n;
  /** Waits for the first round, in parts of one. */
  private late = 0;

  constructor(
    private readonly trace: Trace,
    o: BoundOptions,
    prices: BoundPrices,
  ) {
    const { kvTokens, workers, slots, resume } = boundSettings(trace, o);
    const { kv, slot } = checkedPrices(prices);
    const limited = slots < Number.POSITIVE_INFINITY;
    const paid = slot !== undefined && sum(slot) > 0;
    this.valid = isPrice(kv, resume) && (!slot || isPrice(slot, resume)) && (limited || !paid);
    if (!this.valid) return;
    this.unit = priceUnit(trace, { kv, slot });
    this.valid = this.unit >= 1; // else a price is beyond the arithmetic
    if (!this.valid) return;
    this.kv = wholeUnits(kv, this.unit);
    this.total = -BigInt(workers) * BigInt(kvTokens) * BigInt(sum(this.kv));
    if (!slot || !paid) return;
    this.slot = wholeUnits(slot, this.unit);
    this.total -= BigInt(workers) * BigInt(slots) * BigInt(sum(this.slot));
  }

  /** Adds what requests `first` to `end` - 1 cost at the least. */
  add(first: number, end: number): void {
    const { arrival, input, output } = this.trace;
    for (let i = first; this.valid && i < end; i++) {
      const round = Math.ceil(arrival[i]);
      this.late += round * LATE_UNIT - Math.ceil(arrival[i] * LATE_UNIT);
      this.total += BigInt(cheapestStart(this.kv, this.slot, this.unit, round, input[i], output[i]));
    }
  }

  bound(): CertifiedBound {
    if (!this.valid) return { total: 0, valid: false };
    const unit = BigInt(this.unit);
    const rounds = (this.total > 0n ? this.total + unit - 1n : this.total) / unit; // truncated towards 0: rounded up
    return { total: Number(rounds) + this.late / LATE_UNIT, valid: true };
  }
}

/** Most bits of a price behind the point. */
const PRICE_BITS = 30;
/** Parts of a round in which what is waited for the first one is added up, rounded down. */
const LATE_UNIT = 2 ** 20;

function checkedPrices(prices: BoundPrices): BoundPrices {
  requireObject("prices", prices, { kv: true, slot: true });
  const { kv, slot } = prices;
  requireNumbers("prices.kv", kv);
  if (slot === undefined) return { kv };
  requireNumbers("prices.slot", slot);
  if (slot.length !== kv.length) throw new ShapeError("prices.slot", `${kv.length} values, as kv has`, slot.length);
  return { kv, slot };
}

function isPrice(price: Float64Array, resume: boolean): boolean {
  for (let t = 1; t < price.length; t++) {
    if (!(price[t] >= 0 && Number.isFinite(price[t]))) return false;
    if (resume && t > 1 && price[t] > price[t - 1]) return false;
  }
  return true;
}

/** 2^q, q <= 30: no cost of a start, and no sum of prices, comes to 2^53 units of 2^-q. Below 1 where there is no such unit. */
export function priceUnit(trace: Trace, { kv, slot }: BoundPrices): number {
  let peak = 1;
  let longest = 0;
  for (let i = 0; i < trace.requests; i++) {
    peak = Math.max(peak, trace.input[i] + trace.output[i] + 1);
    longest = Math.max(longest, trace.output[i]);
  }
  // A request holds at most its peak in each round that it pays for; rounding may have lost a part of the sum, but less than half.
  const most = 2 * (peak * (sum(kv) + (slot ? sum(slot) : 0)) + kv.length + longest + 1);
  return 2 ** Math.min(PRICE_BITS, 52 - Math.ceil(Math.log2(most)));
}

/** Of the rounds from 1 on. */
function sum(price: Float64Array): number {
  let all = 0;
  for (let t = 1; t < price.length; t++) all += price[t];
  return all;
}

function wholeUnits(price: Float64Array, unit: number): Float64Array {
  return Float64Array.from(price, (p, t) => (t === 0 ? 0 : Math.floor(p * unit)));
}

/**
 * min over k >= a of c(k), in units. The window of the o rounds in which a start at k pays slides with k; a start at k costs at least k - a + o rounds
 * whatever the prices, which ends the search, at the latest where all prices are behind it.
 */
function cheapestStart(
  v: Float64Array,
  w: Float64Array | undefined,
  unit: number,
  arrival: number,
  input: number,
  output: number,
): number {
  const price = (of: Float64Array, t: number) => (t < of.length ? of[t] : 0);
  let held = 0; // sum of v_t over the window
  let grown = 0; // sum of (t - k) v_t
  let slots = 0; // sum of w_t
  for (let j = 1; j <= output && arrival + j < v.length; j++) {
    held += v[arrival + j];
    grown += j * v[arrival + j];
    if (w) slots += w[arrival + j];
  }
  let least = Number.POSITIVE_INFINITY;
  for (let k = arrival; (k - arrival + output) * unit < least; k++) {
    least = Math.min(least, (k - arrival + output) * unit + input * held + grown + slots);
    const next = price(v, k + output + 1);
    grown += output * next - held;
    held += next - price(v, k + 1);
    if (w) slots += price(w, k + output + 1) - price(w, k + 1);
  }
  return least;
}
