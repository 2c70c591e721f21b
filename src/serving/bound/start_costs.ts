import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { requireNumbers } from "../../common/numbers.ts";
import { requireObject } from "../../common/objects.ts";
import { type PriceSums, pricedStart, priceSums } from "../twins/price.ts";
import type { BoundPrices } from "./bound_options.ts";

/**
 * What it costs to start a request of s prompt tokens and o outputs at a time k, in rounds: to wait so long, and to take memory and a slot from others,
 *
 *   c(k) = k + sum over t = k + 1 .. k + o of ((s + t - k) v_t + w_t)
 *
 * by sums of the prices up to each round, so that one takes constant time.
 */
export class StartCosts {
  private readonly sums: PriceSums;

  constructor(prices: BoundPrices) {
    this.sums = priceSums(prices);
  }

  cost(input: number, output: number, start: number): number {
    return start < this.sums.horizon ? pricedStart(this.sums, 0, input, output, start) : start;
  }

  /** The last of the cheapest starts from a time on. None is as late as what the best so far costs, since prices are >= 0. */
  cheapest(input: number, output: number, from: number): number {
    let best = from;
    let least = this.cost(input, output, from);
    for (let start = from + 1; start <= least; start++) {
      const cost = this.cost(input, output, start);
      if (cost > least) continue;
      least = cost;
      best = start;
    }
    return best;
  }

  /** The first start from a time on that costs at most `tolerance` more than every later one. */
  firstGood(input: number, output: number, from: number, tolerance: number): number {
    const best = this.cheapest(input, output, from);
    const most = this.cost(input, output, best) + tolerance;
    let start = from;
    while (start < best && this.cost(input, output, start) > most) start++;
    return start;
  }
}

/** @throws {ArgumentError} They are no prices, or one of them is negative or not finite. */
export function checkPrices(prices: BoundPrices): void {
  requireObject("prices", prices, { kv: true, slot: true });
  const { kv, slot } = prices;
  checkEach("prices.kv", kv);
  if (kv.length === 0) throw new ShapeError("prices.kv", "T + 1 >= 1 values", 0);
  if (slot === undefined) return;
  checkEach("prices.slot", slot);
  if (slot.length === kv.length) return;
  throw new ShapeError("prices.slot", `as many values as prices.kv, ${kv.length}`, slot.length);
}

function checkEach(argument: string, prices: ArrayLike<number>): void {
  requireNumbers(argument, prices);
  for (let t = 1; t < prices.length; t++) {
    if (!(Number.isFinite(prices[t]) && prices[t] >= 0))
      throw new ArgumentError(`${argument}[${t}]`, "a number >= 0", prices[t]);
  }
}
