import { type BreakingRate, breakingRates } from "../../serving/sweep/breaking_rates.ts";
import { labelsOf } from "../../serving/sweep/scenarios.ts";
import { type SweepOptions, type Swept, sweep } from "../../serving/sweep/sweep.ts";
import { gridSettings, type SweepGrid } from "../../serving/sweep/sweep_grid.ts";
import type { SweptScenario } from "../../serving/sweep/swept.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import type { Shard, SweepSetting } from "./sweep_setting.ts";

/** What one machine has of a sweep, or all of it: then it has no shard. `sweep --shard --json` prints it as it is. */
export interface SweepPart extends SweepSetting {
  shard?: Shard;
  scenarios: SweptScenario[];
  /** Of the shard's configurations, where they are asked for. */
  breaking?: BreakingRate[];
}

/** How it was to run it: no two runs have the same, so that no report has it. */
export interface Ran extends Pick<Swept, "backend" | "reason" | "longestDispatch"> {
  scenarios: number;
  /** All of them together. */
  ms: number;
}

export const WHOLE: Shard = { index: 0, count: 1 };

export type Configuration = Pick<BreakingRate, "routing" | "scheduling" | "workers">;

/** What a grid compares at each rate, in its order. */
export function configurationsOf(grid: SweepGrid): Configuration[] {
  const labels = labelsOf({ ...gridSettings(grid), rates: undefined, seeds: [0] });
  return labels.map(({ routing, scheduling, workers }) => ({ routing, scheduling, workers }));
}

export const isOfShard = (place: number, { index, count }: Shard): boolean => place % count === index;

/** Rates that are tried for a configuration until its breaking rate is found: only the progress goes by it. */
const RATES_OF_SEARCH = 32;

export async function runPart(
  trace: Trace,
  setting: SweepSetting,
  shard: Shard | undefined,
  { backend, signal }: Pick<SweepOptions, "backend" | "signal">,
  onProgress: (share: number) => void,
): Promise<{ part: SweepPart; ran: Ran }> {
  const { grid } = setting;
  const searched = setting.breakingRates
    ? configurationsOf(grid).filter((_, place) => isOfShard(place, shard ?? WHOLE))
    : [];
  const rates = grid.rates?.length ?? 1;
  const swept = rates / (rates + (setting.breakingRates ? RATES_OF_SEARCH : 0));
  const began = performance.now();
  const { scenarios, ...how } = await sweep(trace, grid, {
    ...{ backend, signal, shard },
    onProgress: (share) => onProgress(swept * share),
  });
  const ran: Ran = { ...how, scenarios: scenarios.length, ms: performance.now() - began };
  const breaking: BreakingRate[] = [];
  for (const group of byPolicy(searched)) {
    const [{ routing, scheduling }] = group;
    const workers = group.map((one) => one.workers);
    const ofGroup = { ...grid, rates: undefined, routing: [routing], scheduling: [scheduling], workers };
    const done = breaking.length / searched.length;
    const found = await breakingRates(trace, ofGroup, {
      ...{ attainment: setting.attainment, backend, signal },
      onProgress: (share) => onProgress(swept + (1 - swept) * (done + (share * group.length) / searched.length)),
    });
    breaking.push(...found);
  }
  return { part: { ...setting, shard, scenarios, breaking: setting.breakingRates ? breaking : undefined }, ran };
}

/** Those of one policy follow each other: a grid of their own. */
function byPolicy(all: readonly Configuration[]): Configuration[][] {
  const groups: Configuration[][] = [];
  for (const one of all) {
    const last = groups.at(-1);
    if (last && last[0].routing === one.routing && last[0].scheduling === one.scheduling) last.push(one);
    else groups.push([one]);
  }
  return groups;
}
