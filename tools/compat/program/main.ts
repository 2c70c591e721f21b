/** What every runtime must be able to do with the package, and does here: all kernels, every mode of the balancer, the quickstart. */
import { requestDevice } from "evenkeel";
import { balanceInEveryMode, measureOnBoth } from "./balancing.ts";
import { boundOnBoth } from "./bounds.ts";
import { type KernelReport, kernels, solveAll } from "./lps.ts";
import { sweepOnBoth } from "./sweeps.ts";
import { timesOnGpu } from "./times.ts";

export interface Report {
  /** What the runtime says it is. */
  runtime: string;
  adapter: string;
  /** Where that comes from. */
  source: string;
  features: string[];
  kernels: Record<string, KernelReport>;
  /** Batches in each mode. */
  balancer: Record<string, number>;
  /** LPs whose time was balanced. */
  times: number;
  /** Layers measured on both backends. */
  imbalance: number;
  /** Requests whose latency was bounded on both backends. */
  bounded: number;
  /** Scenarios swept on both backends. */
  swept: number;
  /** What it prints. */
  quickstart: string;
  /** What went wrong; nothing if all is well. */
  failures: string[];
  /** Of each part. */
  seconds: Record<string, number>;
}

export async function compat(): Promise<Report> {
  const report: Report = {
    runtime: navigator.userAgent,
    adapter: "",
    source: "",
    features: [],
    kernels: {},
    balancer: {},
    times: 0,
    imbalance: 0,
    bounded: 0,
    swept: 0,
    quickstart: "",
    failures: [],
    seconds: {},
  };
  const part = async (name: string, work: (fail: (what: string) => void) => Promise<void>) => {
    const begun = performance.now();
    const fail = (what: string) => report.failures.push(`${name}: ${what}`);
    await work(fail).catch((error) => fail(`${error?.stack ?? error}`));
    report.seconds[name] = Math.round((performance.now() - begun) / 100) / 10;
  };

  await part("quickstart", async () => {
    report.quickstart = await printedBy(() => import("../../../examples/quickstart.ts"));
  });
  await part("device", async () => {
    const { device, adapter } = await requestDevice(); // whose default is read from the environment, where that is permitted
    report.adapter = adapter.name;
    report.source = adapter.source;
    report.features = [...device.features].sort();
    for (const kernel of kernels) {
      await part(kernel, async (fail) => {
        report.kernels[kernel] = await solveAll(device, kernel, fail);
      });
    }
    await part("balancer", async (fail) => {
      report.balancer = await balanceInEveryMode(device, fail);
    });
    await part("time", async (fail) => {
      report.times = await timesOnGpu(device, fail);
    });
    await part("measureImbalance", async (fail) => {
      report.imbalance = await measureOnBoth(device, fail);
    });
    device.destroy();
  });
  await part("latencyBound", async (fail) => {
    report.bounded = await boundOnBoth(fail);
  });
  await part("sweep", async (fail) => {
    report.swept = await sweepOnBoth(fail);
  });
  return report;
}

async function printedBy(run: () => Promise<unknown>): Promise<string> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (...values: unknown[]) => lines.push(values.join(" "));
  try {
    await run();
  } finally {
    console.log = log;
  }
  return lines.map((line) => `${line}\n`).join("");
}
