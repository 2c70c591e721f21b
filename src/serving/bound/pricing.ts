import type { Pauses } from "../../common/pauses.ts";
import { type PriceSums, price } from "../twins/price.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { TimedRequests } from "./timed_requests.ts";

/** Who finds the cheapest starts of all requests at given prices. */
export interface Pricing {
  readonly backend: "webgpu" | "cpu";
  /**
   * @param sums  of the prices.
   * @param start  [n], written.
   * @param change  [T + 2, 2], written: second differences of what is held, modulo 2^32.
   */
  starts(prices: BoundPrices, sums: PriceSums, start: Int32Array, change: Int32Array): Promise<void>;
  destroy(): void;
}

/** Starts that are tried for a request, for the pauses: as many as rounds are waited, some of all. */
export const startsTried = (horizon: number): number => Math.max(128, horizon >> 3);

export function cpuPricing(requests: TimedRequests, pauses: Pauses): Pricing {
  return {
    backend: "cpu",
    async starts(_, sums, start, change) {
      change.fill(0);
      await pauses.inPieces(requests.requests, startsTried(sums.horizon), (first, end) =>
        price(requests, sums, start, change, first, end),
      );
    },
    destroy() {},
  };
}
