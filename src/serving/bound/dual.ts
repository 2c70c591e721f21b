import { type PriceSums, pricedStart, priceSums } from "../twins/price.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { Pool } from "./pool.ts";
import type { Pricing } from "./pricing.ts";
import type { TimedRequests } from "./timed_requests.ts";

/**
 * The dual function of the hindsight program, and a supergradient of it: at the starts that are cheapest at the prices, what is used of a round more
 * than there is. (certify_bound.ts states D and why it bounds; nothing here is taken on trust.)
 */
export class Dual {
  /** [T + 1] KV tokens held in each round at the cheapest starts. */
  readonly usage: Float64Array;
  /** [T + 1] requests that run. */
  readonly running: Float64Array;
  evaluations = 0;
  private readonly start: Int32Array;
  private readonly change: Int32Array;

  /** @param horizon  T. */
  constructor(
    readonly requests: TimedRequests,
    readonly pool: Pool,
    readonly horizon: number,
    private readonly pricing: Pricing,
  ) {
    this.start = new Int32Array(requests.requests);
    this.change = new Int32Array(2 * (horizon + 2));
    this.usage = new Float64Array(horizon + 1);
    this.running = new Float64Array(horizon + 1);
  }

  /** D at the prices, rounds; `usage` and `running` follow. */
  async evaluate(prices: BoundPrices): Promise<number> {
    this.evaluations++;
    const sums = priceSums(prices);
    await this.pricing.starts(prices, sums, this.start, this.change);
    this.takeUsage();
    return this.value(prices, sums);
  }

  private value({ kv, slot }: BoundPrices, sums: PriceSums): number {
    const { requests, arrival, input, output } = this.requests;
    let value = 0;
    for (let i = 0; i < requests; i++) {
      const k = this.start[i];
      value += output[i] + (k < this.horizon ? pricedStart(sums, arrival[i], input[i], output[i], k) : k - arrival[i]);
    }
    for (let t = 1; t < kv.length; t++) value -= this.pool.memory * kv[t];
    if (slot) for (let t = 1; t < slot.length; t++) value -= this.pool.slots * slot[t];
    return value;
  }

  private takeUsage(): void {
    let level = 0;
    let slope = 0;
    for (let t = 1; t <= this.horizon; t++) {
      level = (level + this.change[2 * t]) | 0;
      slope = (slope + this.change[2 * t + 1]) | 0;
      this.usage[t] = (level + Math.imul(slope, t)) >>> 0; // the sum fits, though its parts need not
      this.running[t] = slope;
    }
  }
}
