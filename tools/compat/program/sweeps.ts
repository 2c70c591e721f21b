/** What if: all policies on WebGPU, each scenario what the CPU says in everything. */
import { generateTrace, sweep } from "evenkeel/serving";

/** @returns how many scenarios were compared. */
export async function sweepOnBoth(fail: (what: string) => void): Promise<number> {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  const trace = generateTrace({ requests: 60, seed: 7, rate: 20, lengths });
  const stepTime = {
    base: 0.0123,
    perSequence: 2.3e-5,
    perKvToken: 1.7e-6,
    perPrefillToken: 3.3e-6,
    perContext: 2.7e-8,
  };
  const grid = {
    clock: "seconds",
    worker: { slots: 8, kvTokens: 1200, stepTime },
    workers: [1, 3],
    routing: ["roundRobin", "leastKv", "bfio"],
    scheduling: ["fcfs", "sjf", "priority", "svf"],
    prediction: { factor: 1.5 },
    slo: { ttft: 0.5 },
  } as const;
  const [gpu, cpu] = [await sweep(trace, grid, { backend: "webgpu" }), await sweep(trace, grid, { backend: "cpu" })];
  for (const [k, one] of cpu.scenarios.entries()) {
    if (JSON.stringify(one) !== JSON.stringify(gpu.scenarios[k])) fail(`scenario ${k} differs`);
  }
  if (gpu.backend !== "webgpu") fail(`it ran on ${gpu.backend}`);
  return cpu.scenarios.length;
}
