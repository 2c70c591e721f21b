/** Bounds of latency: searched on WebGPU, certified, and as good as those that the CPU finds. */
import { certifyBound, generateTrace, latencyBound } from "evenkeel/serving";

/** @returns how many requests were bounded. */
export async function boundOnBoth(fail: (what: string) => void): Promise<number> {
  const lengths = { input: Int32Array.of(30, 60, 400), output: Int32Array.of(20, 50, 80) };
  let bounded = 0;
  for (const slots of [undefined, 6]) {
    const trace = generateTrace({ requests: 60, seed: 7, rate: 0.2, lengths });
    const options = { kvTokens: 1000, slots };
    const [gpu, cpu] = [
      await latencyBound(trace, { ...options, evaluations: 30, backend: "webgpu" }),
      await latencyBound(trace, { ...options, evaluations: 30, backend: "cpu" }),
    ];
    const { total, valid } = certifyBound(trace, options, gpu.prices);
    if (gpu.backend !== "webgpu" || !valid || total !== gpu.total) fail(`slots ${slots}: not certified`);
    if (Math.abs(gpu.total / cpu.total - 1) > 0.005) fail(`slots ${slots}: ${gpu.total}, not ${cpu.total}`);
    bounded += trace.requests;
  }
  return bounded;
}
