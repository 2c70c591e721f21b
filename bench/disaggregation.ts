/**
 * For which prompts and outputs do workers of their own for prefill serve more than as many that do both?
 *
 *   node scripts/run.mjs bench/disaggregation.ts [--workers N] [--ttft S] [--tpot S] [--json FILE]
 *
 * A map of 5 x 5 workloads. For each the best split of the workers and its rate by the fluid model (prefillDecodeSplit), and the largest rates at which
 * simulations are within the SLO: at the 95th percentile of TTFT, and of TPOT, found by bisection to about 1 %. Simulated are the model's split and those with
 * a worker more and fewer for prefill, of which the best counts. Poisson arrivals, least KV, first come first served by the future check; lengths are
 * uniform from half to one and a half of their mean. The step time is `evenkeel simulate`'s default: Qwen3-30B-A3B on an RTX PRO 6000.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { defaultStepTime as stepTime } from "../src/cli/reports/default_step_time.ts";
import { seeded } from "../src/common/random.ts";
import { prefillDecodeSplit } from "../src/serving/capacity/prefill_decode_split.ts";
import { generateTrace, routing, type SimulateOptions, scheduling, simulate } from "../src/serving.ts";

const PROMPTS = [250, 1000, 2000, 4000, 8000];
const OUTPUTS = [16, 64, 128, 256, 1024];
const REQUESTS = 4000;
const KV_TOKENS = 200_000;
/** Of about 98 KB each, over 400 Gb/s. */
const BANDWIDTH = 500_000;
const HALVINGS = 7;

interface Lengths {
  input: Int32Array;
  output: Int32Array;
}

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "8" },
    ttft: { type: "string", default: "1.5" },
    tpot: { type: "string", default: "0.05" },
    json: { type: "string" },
  },
});
const workers = Number(values.workers);
const slo = { ttft: Number(values.ttft), tpot: Number(values.tpot) };

const rows = [];
for (const prompt of PROMPTS) for (const output of OUTPUTS) rows.push(await cell(prompt, output));
console.log(
  `${workers} workers, 95 % within TTFT ${slo.ttft} s and TPOT ${slo.tpot} s; requests/s; split: prefill + decode\n`,
);
console.log(
  plainTable([
    ["prompt", "output", "split", "apart", "together", "gain", "split", "apart", "together", "gain", ""],
    ...rows.map(({ prompt, output, model, simulated }) => [
      ...[`${prompt}`, `${output}`],
      ...[model, simulated].flatMap(({ split, apart, together }) => [
        ...[split, apart.toFixed(2), together.toFixed(2), gainOf(apart / together)],
      ]),
      model.apart > model.together === simulated.apart > simulated.together ? "" : "<",
    ]),
  ]),
);
const agree = rows.filter(
  ({ model, simulated }) => model.apart > model.together === simulated.apart > simulated.together,
).length;
console.log(
  `\nThe first four figures: the model; then simulations. They agree on which is better in ${agree} of ${rows.length}.`,
);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ workers, slo, rows }, null, 1)}\n`);

function gainOf(ratio: number): string {
  return `${ratio > 1 ? "+" : ""}${(100 * (ratio - 1)).toFixed(0)} %`;
}

async function cell(prompt: number, output: number) {
  const random = seeded(1);
  const around = (mean: number) => Int32Array.from({ length: 4000 }, () => Math.round(mean * (0.5 + random.next())));
  const lengths = { input: around(prompt), output: around(output) };
  const split = prefillDecodeSplit(lengths, { workers, kvTokens: KV_TOKENS, stepTime, bandwidth: BANDWIDTH, slo });
  const worker = { slots: 1e6, kvTokens: KV_TOKENS, stepTime };
  const together = await largestRate(lengths, split.coLocated, { workers: new Array(workers).fill(worker) });
  let best = { split: "", apart: 0 };
  for (const prefill of [split.prefill - 1, split.prefill, split.prefill + 1]) {
    if (prefill < 1 || prefill >= workers) continue;
    const apart = await largestRate(lengths, split.rate, {
      workers: new Array(workers - prefill).fill(worker),
      prefill: { pool: new Array(prefill).fill({ ...worker, slots: 1 }), bandwidth: BANDWIDTH },
    });
    if (apart > best.apart) best = { split: `${prefill} + ${workers - prefill}`, apart };
  }
  const model = { split: `${split.prefill} + ${split.decode}`, apart: split.rate, together: split.coLocated };
  return { prompt, output, model, simulated: { ...best, together } };
}

/** By bisection between 0 and twice what the model has. */
async function largestRate(lengths: Lengths, guess: number, fleet: Pick<SimulateOptions, "workers" | "prefill">) {
  let [low, high] = [0, 2 * guess];
  for (let k = 0; k < HALVINGS; k++) {
    const rate = (low + high) / 2;
    if (await meets(lengths, rate, fleet)) low = rate;
    else high = rate;
  }
  return low;
}

async function meets(lengths: Lengths, rate: number, fleet: Pick<SimulateOptions, "workers" | "prefill">) {
  const trace = generateTrace({ requests: REQUESTS, seed: 1, rate, lengths });
  const { summary } = await simulate(trace, {
    ...fleet,
    ...{ clock: "seconds", routing: routing.leastKv(), scheduling: scheduling.fcfs({ admission: "future" }) },
    ...{ prediction: "exact", warmUp: trace.arrival[REQUESTS / 4] },
  });
  return summary.ttft.p95 <= slo.ttft && summary.tpot.p95 <= slo.tpot;
}
