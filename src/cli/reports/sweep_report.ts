import type { BreakingRate } from "../../serving/sweep/breaking_rates.ts";
import { meanOfSeeds, paretoFront, type SweptMean } from "../../serving/sweep/pareto.ts";
import type { SweptScenario } from "../../serving/sweep/swept.ts";
import type { SweepPart } from "./sweep_part.ts";
import type { SweepSetting } from "./sweep_setting.ts";

/** The fewest workers of the grid with which a policy meets the SLO at a rate; null where it does with none. */
export interface Fewest extends Pick<SweptMean, "routing" | "scheduling" | "rate"> {
  workers: number | null;
}

/** Everything that `sweep` has to say, and `merge` of its parts; both print it as it is with --json. */
export interface SweepReport extends SweepSetting {
  /** In the order of the grid. */
  scenarios: SweptScenario[];
  /** Of each rate those configurations that no other at that rate beats in everything, means over the seeds. */
  front: SweptMean[];
  fewest?: Fewest[];
  breaking?: BreakingRate[];
}

/** @param part  all of a sweep. */
export function sweepReport({ shard, scenarios, breaking, ...setting }: SweepPart): SweepReport {
  const means = meanOfSeeds(scenarios);
  const byRate = ratesOf(setting).map((rate) => means.filter((one) => one.rate === rate));
  const { attainment } = setting;
  return {
    ...{ ...setting, scenarios },
    front: byRate.flatMap((some) => paretoFront(some)),
    ...(attainment !== undefined && { fewest: byRate.flatMap((some) => fewestWorkers(some, attainment)) }),
    ...(breaking && { breaking }),
  };
}

/** Undefined: the trace's own. */
export const ratesOf = ({ grid }: Pick<SweepSetting, "grid">): readonly (number | undefined)[] =>
  grid.rates ?? [undefined];

function fewestWorkers(some: readonly SweptMean[], attainment: number): Fewest[] {
  const fewest = new Map<string, Fewest>();
  for (const { routing, scheduling, rate, workers, attainment: share } of some) {
    const key = `${routing} ${scheduling}`;
    const known = fewest.get(key) ?? { routing, scheduling, rate, workers: null };
    fewest.set(key, known);
    if (share! >= attainment && workers < (known.workers ?? Number.POSITIVE_INFINITY)) known.workers = workers;
  }
  return [...fewest.values()];
}
