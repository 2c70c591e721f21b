import type { ScenarioLabel } from "./scenarios.ts";
import { requireList } from "./sweep_grid.ts";
import type { SweptScenario, SweptSpread } from "./swept.ts";

/** A configuration, which is a scenario but for its seed: the mean over the seeds of each figure. */
export interface SweptMean extends Omit<SweptScenario, "seed" | "index"> {
  /** How many. */
  seeds: number;
}

/** What a front is made by: p99 TTFT and TPOT and J per token, the less the better, tokens per s of a worker, the more. */
export type ParetoAxis = "ttft" | "tpot" | "throughput" | "energy";
export const paretoAxes: readonly ParetoAxis[] = ["ttft", "tpot", "throughput", "energy"];

/** Each so that less is better. */
const costs: Record<
  ParetoAxis,
  (one: Pick<SweptMean, "ttft" | "tpot" | "workerThroughput" | "energyPerToken">) => number
> = {
  ttft: ({ ttft }) => ttft.p99,
  tpot: ({ tpot }) => tpot.p99,
  throughput: ({ workerThroughput }) => -workerThroughput,
  energy: ({ energyPerToken }) => energyPerToken,
};

/** The configurations of a sweep in the order of the grid. */
export function meanOfSeeds(scenarios: readonly SweptScenario[]): SweptMean[] {
  const groups = new Map<string, SweptScenario[]>();
  for (const one of scenarios) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()].map(meanOf);
}

const keyOf = ({ routing, scheduling, workers, rate }: ScenarioLabel) => [routing, scheduling, workers, rate].join();

function meanOf(group: readonly SweptScenario[]): SweptMean {
  const mean = (of: (one: SweptScenario) => number) => group.reduce((sum, one) => sum + of(one), 0) / group.length;
  const spread = (of: (one: SweptScenario) => SweptSpread): SweptSpread => ({
    mean: mean((one) => of(one).mean),
    p50: mean((one) => of(one).p50),
    p90: mean((one) => of(one).p90),
    p95: mean((one) => of(one).p95),
    p99: mean((one) => of(one).p99),
  });
  const { seed, index, ...first } = group[0];
  const figures = Object.entries(first).map(([name, value]) => {
    if (name === "ttft" || name === "tpot") return [name, spread((one) => one[name])];
    const isFigure = typeof value === "number" && name !== "workers" && name !== "rate";
    return [name, isFigure ? mean((one) => one[name as "makespan"]) : value];
  });
  return { ...Object.fromEntries(figures), seeds: group.length };
}

/**
 * Those that no other is at least as good as in everything and better in something: by p99 TTFT, p99 TPOT, tokens per s of a worker, and J per token, or
 * by some of these. Where an axis is NaN, as TPOT is of requests of one token, it is as bad as can be. In the order given; of equal ones all.
 *
 * @throws {ArgumentError} An axis is none.
 */
export function paretoFront<T extends Pick<SweptMean, "ttft" | "tpot" | "workerThroughput" | "energyPerToken">>(
  all: readonly T[],
  axes: readonly ParetoAxis[] = paretoAxes,
): T[] {
  requireList("axes", axes, `names of ${paretoAxes.join(", ")}`, (axis) => paretoAxes.includes(axis));
  const points = all.map((one) => axes.map((axis) => worstOfNaN(costs[axis](one))));
  return all.filter((_, i) => !points.some((other) => dominates(other, points[i])));
}

const worstOfNaN = (cost: number): number => (Number.isNaN(cost) ? Number.POSITIVE_INFINITY : cost);

const dominates = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((cost, k) => cost <= b[k]) && a.some((cost, k) => cost < b[k]);
