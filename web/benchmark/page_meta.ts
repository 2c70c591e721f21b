import type { Meta } from "../../bench/results_file.ts";
import { timestampStepUs } from "../../bench/timestamps.ts";
import { clockStepMs } from "../../bench/timing.ts";
import type { AdapterReport } from "../../src/index.ts";

/** Put in by scripts/site.mjs. */
declare const COMMIT: string;

export async function pageMeta(device: GPUDevice, { name, software }: AdapterReport): Promise<Meta> {
  const { vendor, architecture, description } = device.adapterInfo;
  return {
    commit: COMMIT,
    adapter: software ? `${name}, software` : name,
    driver: [vendor, architecture, description].filter(Boolean).join(", ") || "not told",
    browser: navigator.userAgent,
    cpu: `${navigator.hardwareConcurrency} logical processors`,
    clockStepUs: Math.round(clockStepMs() * 1e6) / 1e3, // 0.1 ms come as 0.09999
    timestampStepUs: await timestampStepUs(device),
    limits: limitsOf(device),
  };
}

/** They are getters of a prototype. */
function limitsOf({ limits }: GPUDevice): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const limit = limits[name as keyof GPUSupportedLimits];
    if (typeof limit === "number") found[name] = limit;
  }
  return found;
}
