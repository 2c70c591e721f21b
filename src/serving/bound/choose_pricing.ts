import type { Pauses } from "../../common/pauses.ts";
import { acquireDevice, reasonOrThrow } from "../../lp/device_choice.ts";
import type { PriceSums } from "../twins/price.ts";
import type { BoundPrices } from "./bound_options.ts";
import { cpuPricing, type Pricing } from "./pricing.ts";
import type { TimedRequests } from "./timed_requests.ts";
import { webgpuPricing } from "./webgpu_pricing.ts";

/** "auto" looks for a GPU, a real one, where the CPU takes longer than this: what an upload, a submit and a map take several times over. */
const CPU_ENOUGH_MS = 5;
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

/** The CPU, until it has been slow once and there is a GPU; the CPU again where that is slower, or lost. */
class AutoPricing implements Pricing {
  private current: Pricing;
  private asked = false;
  /** Of the pricing that made a GPU worth looking for. */
  private cpuMs = 0;
  /** Whether the GPU has been timed. */
  private compared = false;

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
      reasonOrThrow(error);
      this.backToCpu();
      return this.current.starts(prices, sums, start, change);
    }
    const ms = performance.now() - begun;
    if (this.current.backend === "cpu") await this.lookForGpu(ms);
    else if (!this.compared) {
      this.compared = true;
      if (ms > this.cpuMs) this.backToCpu();
    }
  }

  private async lookForGpu(cpuMs: number): Promise<void> {
    if (this.asked || cpuMs < CPU_ENOUGH_MS) return;
    this.asked = true;
    this.cpuMs = cpuMs;
    const { acquired } = await acquireDevice("auto", { adapter: "hardware" });
    if (!acquired) return;
    try {
      this.current = await webgpuPricing(acquired.device, this.requests, this.horizon);
    } catch (error) {
      reasonOrThrow(error);
    }
  }

  private backToCpu(): void {
    this.destroy();
    this.current = cpuPricing(this.requests, this.pauses);
  }

  destroy(): void {
    this.current.destroy();
  }
}
