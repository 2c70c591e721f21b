/** Balancing time on loads of many steps, beside what else one could do with the same placement. */
import { seeded } from "../src/common/random.ts";
import {
  type ExpertCost,
  Placement,
  rebalanceExperts,
  type SolveOptions,
  type SolverOptions,
  solveLoadBalanceLP,
  type TimedSolution,
} from "../src/index.ts";
import { checkCost } from "../src/lp/time/expert_cost.ts";
import { closeSlots } from "./baselines/fewest_slots.ts";

/** Mean times of methods on the same LPs. */
export class Means {
  private readonly sums: Record<string, number> = {};
  lps = 0;
  /** LPs whose time is that of the bound. */
  closed = 0;
  /** LPs in which another method is done sooner, by its name. */
  readonly sooner: Record<string, number> = {};
  private gap = 0;
  private widest = 0;

  add(solution: TimedSolution, others: Record<string, Float64Array>): void {
    for (const [lp, best] of solution.maxTime.entries()) {
      this.count("time", best);
      this.count("bound", solution.timeBound[lp]);
      for (const [name, of] of Object.entries(others)) {
        this.count(name, of[lp]);
        this.sooner[name] = (this.sooner[name] ?? 0) + (of[lp] < best * (1 - 1e-9) ? 1 : 0);
      }
      this.lps++;
      this.gap += solution.timeGap[lp];
      this.widest = Math.max(this.widest, solution.timeGap[lp]);
      if (solution.status[lp] === "optimal") this.closed++;
    }
  }

  private count(name: string, value: number): void {
    this.sums[name] = (this.sums[name] ?? 0) + value;
  }

  get meanGap(): number {
    return this.gap / this.lps;
  }

  /** How many times as long another method takes, in the mean. */
  over(name: string): number {
    return this.sums[name] / this.sums.time;
  }

  inWords(): string {
    const { time, bound, ...others } = this.sums;
    const over = Object.entries(others).map(([name, sum]) => {
      const sooner = this.sooner[name] > 0 ? `, sooner in ${this.sooner[name]}` : "";
      return `${name} ${(sum / time).toFixed(3)} x (${(sum / bound).toFixed(3)} x the bound${sooner})`;
    });
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    const gaps = `mean gap ${percent(this.meanGap)}, widest ${percent(this.widest)}, at the bound ${percent(this.closed / this.lps)}`;
    return `${this.lps} LPs, ${gaps}; over time-optimal: ${over.join(", ")}`;
  }
}

/** Of activated experts alone, whatever their tokens. */
const ACTIVATED: ExpertCost = { model: "roofline", perExpert: 1, perToken: 0 };

/**
 * Placed by EPLB on the first half of the steps, solved on the second: by time; by tokens, as they come, levelled, and with as few activated slots as
 * that leaves; by activated experts; and evenly split.
 */
export async function compareSteps(
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
  const solve = (options: SolverOptions & SolveOptions) =>
    solveLoadBalanceLP({ placement, expertLoad }, { backend: "cpu", ...options });
  const solution = (await solve({ cost })) as TimedSolution;
  const { quota, maxLoad } = await solve({});
  const fewest = Int32Array.from(quota);
  const { physicalExperts: slots } = placement;
  for (const [lp, most] of maxLoad.entries())
    closeSlots(placement, fewest.subarray(lp * slots, (lp + 1) * slots), most);
  const others = {
    "token-optimal": quota,
    levelled: (await solve({ level: true })).quota,
    "fewest slots": fewest,
    "unit-optimal": (await solve({ cost: ACTIVATED })).quota,
    "even split": evenQuotas(placement, expertLoad),
  };
  const timed = Object.entries(others).map(([name, quotas]) => [name, lastDone(placement, cost, quotas)]);
  means.add(solution, Object.fromEntries(timed));
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

/** [B, P] each expert's tokens over its slots, evenly to the token. */
export function evenQuotas(
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

/** [steps][experts] around a lognormal popularity of 0.8, each step 0.2 off it, drawn. */
export function fluctuating(experts: number, assignments: number, steps: number, seed: number): number[][] {
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
