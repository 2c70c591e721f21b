import { DeviceError } from "../../common/errors.ts";
import type { Pauses } from "../../common/pauses.ts";
import { acquireDevice } from "../../lp/device_choice.ts";
import { type PriceSums, price } from "../twins/price.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { TimedRequests } from "./timed_requests.ts";
import { webgpuPricing } from "./webgpu_pricing.ts";

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

/** "auto" looks for a GPU where the CPU takes longer than this: what an upload, a submit and a map take several times over. */
const CPU_ENOUGH_MS = 5;
/** Starts that are tried for a request, for the pauses: from one to as many as rounds are waited. */
const TRIED = 128;

/** @throws {DeviceError} backend is "webgpu", and there is no device. */
export async function choosePricing(
  backend: "auto" | "webgpu" | "cpu",
  requests: TimedRequests,
  horizon: number,
  pauses: Pauses,
): Promise<Pricing> {
  if (backend === "auto") return new AutoPricing(requests, horizon, pauses);
  const { acquired } = await acquireDevice(backend, {});
  return acquired ? webgpuPricing(acquired.device, requests, horizon) : cpuPricing(requests, pauses);
}

export function cpuPricing(requests: TimedRequests, pauses: Pauses): Pricing {
  return {
    backend: "cpu",
    starts(_, sums, start, change) {
      change.fill(0);
      return pauses.inPieces(requests.requests, TRIED, (first, end) =>
        price(requests, sums, start, change, first, end),
      );
    },
    destroy() {},
  };
}

/** The CPU, until it has been slow once and there is a GPU; the CPU again where that is lost. */
class AutoPricing implements Pricing {
  private current: Pricing;
  private asked = false;

  constructor(
    private readonly requests: TimedRequests,
    private readonly horizon: number,
    private readonly pauses: Pauses,
  ) {
    this.current = cpuPricing(requests, pauses);
  }

  get backend() {
    return this.current.backend;
  }

  async starts(prices: BoundPrices, sums: PriceSums, start: Int32Array, change: Int32Array): Promise<void> {
    const begun = performance.now();
    try {
      await this.current.starts(prices, sums, start, change);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.destroy();
      this.current = cpuPricing(this.requests, this.pauses);
      return this.current.starts(prices, sums, start, change);
    }
    if (this.asked || performance.now() - begun < CPU_ENOUGH_MS) return;
    this.asked = true;
    const { acquired } = await acquireDevice("auto", {});
    if (acquired) this.current = await webgpuPricing(acquired.device, this.requests, this.horizon);
  }

  destroy(): void {
    this.current.destroy();
  }
}
