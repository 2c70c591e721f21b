/** All that evenkeel/serving has for sweeps as a user writes it. Never run: test/types.test.ts and tools/compat/types compile it. */
import {
  type BreakingRate,
  type BreakingRateOptions,
  breakingRates,
  meanOfSeeds,
  type ParetoAxis,
  paretoFront,
  type ScenarioLabel,
  type SweepGrid,
  type SweepOptions,
  type Swept,
  type SweptMean,
  type SweptRouting,
  type SweptScenario,
  type SweptScheduling,
  type SweptSpread,
  sweep,
  type Trace,
  type WorkerSpec,
} from "evenkeel/serving";

export async function whatIf(trace: Trace, worker: WorkerSpec): Promise<number[]> {
  const routes: SweptRouting[] = ["leastKv", "bfio"];
  const schedules: SweptScheduling[] = ["fcfs"];
  const grid: SweepGrid = { clock: "seconds", worker, workers: [1, 2], routing: routes, scheduling: schedules };
  const options: SweepOptions = { backend: "cpu", shard: { index: 0, count: 2 } };
  const { scenarios, longestDispatch }: Swept = await sweep(trace, grid, options);
  const first: SweptScenario = scenarios[0];
  const label: ScenarioLabel = first;
  const means: SweptMean[] = meanOfSeeds(scenarios);
  const axes: ParetoAxis[] = ["ttft", "energy"];
  const { p99 }: SweptSpread = paretoFront(means, axes)[0].ttft;
  const search: BreakingRateOptions = { attainment: 0.9 };
  const [rate]: BreakingRate[] = await breakingRates(trace, { ...grid, slo: { ttft: 1 } }, search);
  return [label.workers, p99, rate.holds, longestDispatch];
}
