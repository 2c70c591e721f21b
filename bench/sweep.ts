/**
 * `node scripts/run.mjs bench/sweep.ts [--scenarios N] [--requests N] [--checked N] [--trace FILE] [--json FILE]`: a sweep of Mooncake's conversations on the GPU against one
 * core. What is timed is checked: the scenarios that the CPU runs, too, are equal in everything.
 */
import { createReadStream, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { defaultStepTime } from "../src/cli/reports/default_step_time.ts";
import { requestDevice } from "../src/index.ts";
import { readTrace, type SweepGrid, type SweepOptions, type Swept, sweep, type Trace } from "../src/serving.ts";

const { values } = parseArgs({
  options: {
    scenarios: { type: "string", default: "4096" },
    requests: { type: "string", default: "2000" },
    checked: { type: "string", default: "256" },
    trace: { type: "string", default: "../shared/data/requests/mooncake_fast25_conversation.jsonl.gz" },
    json: { type: "string" },
  },
});
const [scenarios, requests, checked] = [values.scenarios, values.requests, values.checked].map(Number);
const trace = firstOf(await readTrace(createReadStream(values.trace)), requests);
const grid = gridOf(scenarios);
const { device, adapter } = await requestDevice();

const few = firstOf(trace, Math.min(50, requests));
await sweep(few, { ...grid, rates: [1] }, { backend: "webgpu", device }); // compiles the pipeline
const gpu = await timed("webgpu", { backend: "webgpu", device });
const count = Math.max(1, Math.round(gpu.swept.scenarios.length / checked));
const shard = { index: 0, count };
const core = await timed("one core", { backend: "cpu", shard });
for (const one of core.swept.scenarios) {
  const other = gpu.swept.scenarios[one.index];
  if (JSON.stringify(one) !== JSON.stringify(other))
    throw new Error(`Scenario ${one.index} differs: ${JSON.stringify([one, other])}`);
}
const ratio = core.msEach / gpu.msEach;
console.log(
  `${gpu.swept.scenarios.length} scenarios of ${requests} requests in one call, ${adapter.name}; ${cpus()[0]?.model}`,
);
console.log(
  `webgpu ${gpu.msEach.toFixed(2)} ms per scenario, ${(gpu.ms / 1e3).toFixed(1)} s in all; longest dispatch ${gpu.swept.longestDispatch.toFixed(0)} ms`,
);
console.log(
  `one core ${core.msEach.toFixed(2)} ms per scenario, by every ${count}th, all equal: the GPU is ${ratio.toFixed(2)} cores`,
);
if (values.json !== undefined) {
  const figures = {
    scenarios,
    requests,
    adapter: adapter.name,
    gpuMs: gpu.msEach,
    coreMs: core.msEach,
    longestDispatch: gpu.swept.longestDispatch,
  };
  writeFileSync(values.json, `${JSON.stringify(figures, null, 1)}\n`);
}
device.destroy();

/** So many combinations, or a few fewer: 24 of policies and workers, and as many rates as are left. */
function gridOf(most: number): SweepGrid {
  const rates = Math.max(1, Math.floor(most / 32));
  return {
    clock: "seconds",
    worker: { slots: 64, kvTokens: 400_000, stepTime: defaultStepTime },
    workers: [2, 4, 6, 8],
    routing: ["roundRobin", "leastKv"],
    scheduling: ["fcfs", "sjf", "priority", "svf"],
    rates: Array.from({ length: rates }, (_, k) => 0.5 + (4 * k) / rates),
    prediction: "exact",
    slo: { ttft: 8, tpot: 0.2 },
  };
}

async function timed(name: string, options: SweepOptions): Promise<{ swept: Swept; ms: number; msEach: number }> {
  const begun = performance.now();
  const swept = await sweep(trace, grid, {
    ...options,
    onProgress: (share) => progress(`${name}: ${(100 * share).toFixed(1)} %`),
  });
  const ms = performance.now() - begun;
  progress("");
  return { swept, ms, msEach: ms / swept.scenarios.length };
}

function firstOf({ arrival, input, output }: Trace, n: number): Trace {
  return { requests: n, arrival: arrival.slice(0, n), input: input.slice(0, n), output: output.slice(0, n) };
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
