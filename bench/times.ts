/** What is balancing time worth over balancing tokens, how far is it from what is proven, and what does it cost? */

import { seeded } from "../src/common/random.ts";
import {
  createSolver,
  type ExpertCost,
  expertCostRows,
  fitExpertCost,
  Placement,
  rebalanceExperts,
  type TimedSolution,
} from "../src/index.ts";
import { checkCost } from "../src/lp/time/expert_cost.ts";
import { recordedBytes, recordedDataPresent, recordedJson } from "../test/helpers/recorded.ts";
import { type Bench, time } from "./harness.ts";
import { givenLoads } from "./ours.ts";
import { modelWorkload } from "./workloads.ts";

const DECODE: ExpertCost = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
const DEEPSEEK: ExpertCost = { model: "roofline", perExpert: 16.5, perToken: 0.06 };

export async function times(bench: Bench): Promise<void> {
  await speed(bench);
  await grid(bench);
  if (recordedDataPresent) await recorded(bench);
  else bench.note("time: SKIPPED the recorded loads: ../shared/data is absent");
}

/** Solves from end to end, as ratios to tokens on the same backend. */
async function speed(bench: Bench): Promise<void> {
  for (const [name, shape] of [
    ["EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers: 1 }],
    ["EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }],
    ["EP32 R32", { gpus: 32, experts: 256, redundant: 32, layers: 1 }],
  ] as const) {
    const work = modelWorkload(name, shape, 256);
    const loads = givenLoads(work, 0) as { expertLoad: Int32Array };
    const mean = loads.expertLoad.reduce((a, b) => a + b) / loads.expertLoad.length;
    const turn = (share: number): ExpertCost => ({ model: "roofline", perExpert: share * mean, perToken: 1 });
    const costs: Record<string, ExpertCost | undefined> = {
      tokens: undefined,
      linear: { model: "affine", perExpert: 0, perToken: 0.035 },
      activated: { model: "roofline", perExpert: 6.3, perToken: 0 },
      tiles: { model: "affine", perExpert: 0, perToken: 0.035, tile: Math.ceil(mean / 8) },
      "roofline, turning at twice the mean": turn(2),
      "roofline, turning at the mean": turn(1),
      "roofline, turning at half the mean": turn(0.5),
      affine: { model: "affine", perExpert: mean, perToken: 1 },
    };
    for (const backend of ["cpu", "webgpu"] as const) {
      const took: Record<string, number> = {};
      for (const [kind, cost] of Object.entries(costs)) {
        const solver = await createSolver(work.layers[0].form as Placement, {
          ...{ backend, device: bench.device },
          ...(cost ? { cost } : backend === "webgpu" && { kernel: "lane" }),
        });
        const run = async () => {
          await solver.solve(loads);
        };
        const { status } = await solver.solve(loads);
        if (["linear", "activated", "tiles"].includes(kind) && status.includes("gap"))
          throw new Error(`${kind}: a gap`);
        const timing = await time({ run }, bench.effort);
        bench.row("time", `${backend}, by ${kind}`, work, timing);
        took[kind] = timing.medianUs;
        solver.destroy();
      }
      const ratios = Object.entries(took).map(([kind, us]) => `${kind} ${(us / took.tokens).toFixed(2)}`);
      bench.note(
        `${name}, batch 256, ${backend}: solve by ${ratios.slice(1).join("; ")} x the time by tokens${backend === "webgpu" ? " on the lane kernel" : ""}`,
      );
    }
  }
}

/** Mean times of methods on the same LPs. */
class Means {
  private readonly sums: Record<string, number> = {};
  private lps = 0;
  private gap = 0;
  private widest = 0;
  private closed = 0;
  private worse = 0;

  add(solution: TimedSolution, others: Record<string, Float64Array>): void {
    for (const [lp, best] of solution.maxTime.entries()) {
      const all = {
        time: best,
        bound: solution.timeBound[lp],
        ...Object.fromEntries(Object.entries(others).map(([name, of]) => [name, of[lp]])),
      };
      for (const [name, value] of Object.entries(all)) this.sums[name] = (this.sums[name] ?? 0) + value;
      if (Object.values(others).some((of) => of[lp] < best * (1 - 1e-9))) this.worse++;
      this.lps++;
      this.gap += solution.timeGap[lp];
      this.widest = Math.max(this.widest, solution.timeGap[lp]);
      if (solution.status[lp] === "optimal") this.closed++;
    }
  }

  inWords(): string {
    const { time, bound, ...others } = this.sums;
    const over = Object.entries(others).map(
      ([name, sum]) => `${name} ${(sum / time).toFixed(3)} x (${(sum / bound).toFixed(3)} x the bound)`,
    );
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    const gaps = `mean gap ${percent(this.gap / this.lps)}, widest ${percent(this.widest)}, at the bound ${percent(this.closed / this.lps)}`;
    return `${this.lps} LPs, ${gaps}; over time-optimal: ${over.join(", ")}; worse than one of these in ${this.worse}`;
  }
}

/** DeepSeek's shape at batches of very different sizes. */
async function grid(bench: Bench): Promise<void> {
  const layers = bench.quick ? 4 : 16;
  for (const assignments of [512, 4096, 16_384, 65_536, 262_144]) {
    for (const [gpus, redundant] of [
      [8, 16],
      [32, 32],
    ]) {
      const means = new Means();
      for (let layer = 0; layer < layers; layer++) {
        const steps = fluctuating(256, assignments, 60, layer);
        await compareSteps(means, steps, gpus, redundant, DEEPSEEK);
      }
      bench.note(
        `256 experts, EP${gpus} R${redundant}, ${assignments} assignments, roofline 16.5, 0.06: ${means.inWords()}`,
      );
    }
  }
}

/** [steps][experts] around a lognormal popularity of 0.8, each step 0.2 off it, drawn. */
function fluctuating(experts: number, assignments: number, steps: number, seed: number): number[][] {
  const random = seeded(900 + seed);
  const popularity = Array.from({ length: experts }, () => Math.exp(0.8 * random.normal()));
  return Array.from({ length: steps }, () => {
    const weights = popularity.map((share) => share * Math.exp(0.2 * random.normal()));
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => {
      const mean = (weight / sum) * assignments;
      return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
    });
  });
}

/** The gpt-oss decode loads, all layers. */
async function recorded(bench: Bench): Promise<void> {
  const every = bench.quick ? 8 : 1;
  const all: number[][][] = recordedJson("moe/gptoss20b_decode_step_loads.json.gz").loads;
  const steps = all.filter((_, i) => i % every === 0);
  const table = recordedBytes("perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_moe.csv").toString();
  const fitted = fitExpertCost(expertCostRows(table, { topK: 8 }));
  for (const [name, cost] of [
    ["roofline 6.3, 0.035", DECODE],
    [`the RTX table, fitted to ${(100 * fitted.error).toFixed(1)} %`, fitted.cost],
  ] as const) {
    for (const redundant of [8, 16]) {
      const means = new Means();
      for (const layer of all[0].keys()) {
        await compareSteps(
          means,
          steps.map((step) => step[layer]),
          8,
          redundant,
          cost,
        );
      }
      bench.note(
        `gpt-oss decode, 24 layers, every ${every === 1 ? "" : `${every}th `}step, EP8 R${redundant}, ${name}: ${means.inWords()}`,
      );
    }
  }
}

/** Placed by EPLB on the first half, solved on the second: by time, and by tokens levelled, with fewest activated slots, and evenly split. */
async function compareSteps(
  means: Means,
  steps: number[][],
  gpus: number,
  redundant: number,
  cost: ExpertCost,
): Promise<void> {
  const half = steps.length >> 1;
  const mean = steps[0].map((_, e) => steps.slice(0, half).reduce((sum, row) => sum + row[e], 1e-9));
  const { physicalToLogical } = rebalanceExperts([mean], { replicas: mean.length + redundant, gpus });
  const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus });
  const expertLoad = steps.slice(half);
  const [byTime, byTokens] = await Promise.all([
    createSolver(placement, { backend: "cpu", cost }),
    createSolver(placement, { backend: "cpu" }),
  ]);
  const solution = await byTime.solve({ expertLoad });
  const { quota, maxLoad } = await byTokens.solve({ expertLoad });
  const levelled = await byTokens.solve({ expertLoad }, { level: true });
  const timesOf = (quotas: ArrayLike<number>) => lastDone(placement, cost, quotas);
  const fewest = Int32Array.from(quota);
  for (const [lp, most] of maxLoad.entries())
    gather(placement, fewest.subarray(lp * placement.physicalExperts, (lp + 1) * placement.physicalExperts), most);
  means.add(solution, {
    "token-optimal": timesOf(quota),
    levelled: timesOf(levelled.quota),
    "fewest slots": timesOf(fewest),
    "even split": timesOf(evenQuotas(placement, expertLoad)),
  });
}

/** [B] when the last GPU is done, equal speeds. */
function lastDone(
  { gpus, physicalExperts, gpuOf }: Placement,
  cost: ExpertCost,
  quotas: ArrayLike<number>,
): Float64Array {
  const { time: c } = checkCost(cost);
  const last = new Float64Array(quotas.length / physicalExperts);
  for (let lp = 0; lp < last.length; lp++) {
    const time = new Float64Array(gpus);
    for (let p = 0; p < physicalExperts; p++) time[gpuOf[p]] += c(quotas[lp * physicalExperts + p]);
    last[lp] = Math.max(...time);
  }
  return last;
}

/** Within the optimal max load, moves the tokens of small slots away while they fit elsewhere: the fewest activated slots that one pass finds. */
function gather({ physicalExperts, physicalToLogical, gpuOf, gpus }: Placement, quota: Int32Array, most: number): void {
  const load = new Float64Array(gpus);
  for (let p = 0; p < physicalExperts; p++) load[gpuOf[p]] += quota[p];
  const small = [...quota.keys()].filter((p) => quota[p] > 0).sort((a, b) => quota[a] - quota[b]);
  for (const p of small) {
    const others = [...quota.keys()].filter(
      (q) => q !== p && quota[q] > 0 && physicalToLogical[q] === physicalToLogical[p],
    );
    const room = (q: number) => (gpuOf[q] === gpuOf[p] ? Infinity : most - load[gpuOf[q]]);
    if (others.reduce((sum, q) => sum + Math.max(0, room(q)), 0) < quota[p]) continue;
    for (const q of others) {
      const moved = Math.min(quota[p], Math.max(0, room(q)));
      quota[p] -= moved;
      quota[q] += moved;
      load[gpuOf[p]] -= moved;
      load[gpuOf[q]] += moved;
    }
  }
}

function evenQuotas(
  { physicalExperts, physicalToLogical, replicaCount }: Placement,
  expertLoad: number[][],
): Int32Array {
  const quotas = new Int32Array(expertLoad.length * physicalExperts);
  for (const [lp, loads] of expertLoad.entries()) {
    const seen = new Int32Array(loads.length);
    for (const [p, e] of physicalToLogical.entries()) {
      const each = Math.floor(loads[e] / replicaCount[e]);
      quotas[lp * physicalExperts + p] = each + (seen[e]++ < loads[e] % replicaCount[e] ? 1 : 0);
    }
  }
  return quotas;
}
