/**
 * What is balancing experts worth in time per token and throughput?
 *
 *   node scripts/run.mjs bench/expert_coupling.ts [--requests N] [--seeds N] [--json FILE]
 *
 * Recorded decode steps of gpt-oss-20b (24 layers, 32 experts, top 4) on 8 GPUs, experts placed by EPLB on the first half of the steps, simulated with the
 * second; lengths of ShareGPT, 8 decode workers behind a barrier, prompts prefilled elsewhere. Each way to balance is given the same requests and the
 * same rows, seed by seed: at a rate that leaves slots free, and at one that does not. Needs ../shared/data.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { seeded } from "../src/common/random.ts";
import { type LoadHistory, type Numbers, Placement, rebalanceExperts } from "../src/index.ts";
import type { ExpertParallelism } from "../src/serving/experts/expert_parallelism.ts";
import {
  generateTrace,
  type Lengths,
  meanOverSeeds,
  routing,
  type Summary,
  simulate,
  type Trace,
} from "../src/serving.ts";
import { recordedBytes, recordedJson } from "../test/helpers/recorded.ts";

const GPUS = 8;
/** As many running requests as the recorded steps have, about: 371 to 292. */
const SLOTS = 42;
const TOP_K = 4;
/**
 * Of everything but MoE in decode: 24 layers of Qwen3-30B-A3B in bf16 on an RTX PRO 6000, as `fitStepTime` has it from the steps without prompts among
 * LLMServingSim's tables; 4 % off. Its MoE table is where the cost is from.
 */
const decode = { base: 1.43e-3, perSequence: 4.85e-6, perKvToken: 3.46e-8, perPrefillToken: 0, perContext: 0 };
/** The same of the steps with prompts; 15 % off. */
const prefill = {
  base: 1.51e-3,
  perSequence: 1.25e-5,
  perKvToken: 1.1e-7,
  perPrefillToken: 3.59e-6,
  perContext: 1.62e-9,
};
/** us, of the same GPU. */
const cost = { model: "roofline", perExpert: 6.3, perToken: 0.035 } as const;
/** Requests per s: about 80 % of the slots run, and more than can be served. Of the first the time per token is shown, of the second the throughput. */
const RATES = [100, 200] as const;
const WARM_UP_S = 3;

interface Way {
  placed: string;
  balance: ExpertParallelism["balance"];
  placement: Placement[];
}

interface Row extends Omit<Way, "placement"> {
  /** Of each seed, at the lower rate and at the higher. */
  free: Summary[];
  overloaded: Summary[];
}

const { values: given } = parseArgs({
  options: { requests: { type: "string" }, seeds: { type: "string" }, json: { type: "string" } },
});
const requests = Number(given.requests ?? 2000);
const seeds = Array.from({ length: Number(given.seeds ?? 6) }, (_, i) => i + 1);
const { loads } = recordedJson("moe/gptoss20b_decode_step_loads.json.gz") as { loads: number[][][] };
const [first, second] = [loads.slice(0, loads.length >> 1), loads.slice(loads.length >> 1)];
const history: LoadHistory = {
  loads: second,
  steps: second.length,
  layers: loads[0].length,
  experts: loads[0][0].length,
};
const started = performance.now();
const rows: Row[] = [];
for (const { placement, ...way } of waysOf()) {
  const [free, overloaded] = [
    await simulations(way.balance, placement, RATES[0]),
    await simulations(way.balance, placement, RATES[1]),
  ];
  rows.push({ ...way, free, overloaded });
}
const head = ["placed", "balance", "MoE ms/step", "TPOT ms", "against even", "p99 ms", "tokens/s", "against even"];
console.log(
  `${requests} requests, ${seeds.length} seeds; TPOT at ${RATES[0]} requests/s, tokens/s at ${RATES[1]}; ± half of the 95 % interval\n`,
);
console.log(plainTable([head, ...rows.map(cells)]));
console.log(`${((performance.now() - started) / 1e3).toFixed(0)} s`);
if (given.json !== undefined) writeFileSync(given.json, `${JSON.stringify({ requests, seeds, rows }, null, 1)}\n`);

function waysOf(): Way[] {
  const inOrder = placedOn(0);
  const ways: Way[] = [{ placed: "in order, R0", balance: "none", placement: inOrder }];
  for (const redundant of [8, 16]) {
    const placement = placedOn(redundant);
    for (const balance of ["none", "even", "tokens", "time", "bound"] as const) {
      ways.push({ placed: `EPLB, R${redundant}`, balance, placement });
    }
  }
  return ways;
}

/** With as many redundant experts; without any, in the order of their numbers. */
function placedOn(redundant: number): Placement[] {
  const { layers, experts } = history;
  if (redundant === 0) return [Placement.fromPhysicalToLogical([...Array(experts).keys()], { gpus: GPUS })];
  const sums = Array.from(
    { length: layers },
    (_, layer): Numbers =>
      Array.from({ length: experts }, (_, e) => first.reduce((sum, step) => sum + step[layer][e], 0)),
  );
  const { physicalToLogical } = rebalanceExperts(sums, { gpus: GPUS, replicas: experts + redundant });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus: GPUS }));
}

function lengthsOf(): Lengths {
  const lines = recordedBytes("requests/sharegpt_qwen3_30b_a3b_lengths.csv").toString().trim().split(/\r?\n/).slice(1);
  const column = (i: number) => Int32Array.from(lines, (line) => Number(line.split(",")[i]));
  return { input: column(1), output: column(2) };
}

function simulations(balance: Way["balance"], placement: Placement[], rate: number): Promise<Summary[]> {
  return Promise.all(
    seeds.map(async (seed) => {
      const trace: Trace = generateTrace({ requests, seed, rate, lengths: lengthsOf() });
      const firstRow = seeded(seed).below(history.steps);
      const worker = (stepTime: typeof decode, slots: number) => ({ slots, kvTokens: 1_000_000, stepTime });
      const { summary } = await simulate(trace, {
        workers: Array.from({ length: GPUS }, () => worker(decode, SLOTS)),
        ...{ clock: "seconds", barrier: true, routing: routing.leastKv(), warmUp: WARM_UP_S },
        prefill: { pool: Array.from({ length: 16 }, () => worker(prefill, 8)), bandwidth: 1e6 },
        experts: { history, placement, balance, cost, costUnit: 1e-6, topK: TOP_K, firstRow },
      });
      if (summary.completed !== summary.requests) throw new Error(`${balance}: requests are missing`);
      return summary;
    }),
  );
}

function cells(row: Row): string[] {
  const { placed, balance, free, overloaded } = row;
  const even = rows.find((other) => other.placed === placed && other.balance === "even");
  const shown = (values: number[], digits: number) => {
    const { mean, halfWidth } = meanOverSeeds(values);
    return `${mean.toFixed(digits)} ± ${halfWidth.toFixed(digits)}`;
  };
  const against = (values: number[], others: number[] | undefined) =>
    even === row || !others
      ? ""
      : `${shown(
          values.map((value, i) => 100 * (value / others[i] - 1)),
          2,
        )} %`;
  const tpots = (summaries: Summary[]) => summaries.map(({ tpot }) => 1e3 * tpot.mean);
  const throughputs = (summaries: Summary[]) => summaries.map(({ tokenThroughput }) => tokenThroughput);
  return [
    ...[
      placed,
      balance,
      shown(
        free.map(({ expertTime }) => 1e3 * expertTime!),
        3,
      ),
    ],
    ...[shown(tpots(free), 3), against(tpots(free), even && tpots(even.free))],
    shown(
      free.map(({ tpot }) => 1e3 * tpot.p99),
      3,
    ),
    ...[shown(throughputs(overloaded), 0), against(throughputs(overloaded), even && throughputs(even.overloaded))],
  ];
}
