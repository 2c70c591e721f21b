/** Tables of a sweep: a row per configuration, or per policy. */
import type { SweptMean } from "../../serving/sweep/pareto.ts";
import type { SweptRouting } from "../../serving/sweep/sweep_grid.ts";
import { ratesOf, type SweepReport } from "../reports/sweep_report.ts";
import { fixed, percent, threeFigures, timeInWords } from "./simulation_units.ts";
import { count, decimalsOf } from "./words.ts";

/** As the command line has them. */
const routes: Record<SweptRouting, string> = { roundRobin: "round-robin", leastKv: "least-kv", bfio: "bfio" };

type Policy = Pick<SweptMean, "routing" | "scheduling">;

/** The route, and with other schedules than fcfs the schedule. */
export function policyName({ grid }: Pick<SweepReport, "grid">, { routing, scheduling }: Policy): string {
  const { scheduling: all = ["fcfs"] } = grid;
  const usual = all.length === 1 && all[0] === "fcfs";
  return usual ? routes[routing] : `${routes[routing]} + ${scheduling}`;
}

export const unitOfRate = ({ grid }: Pick<SweepReport, "grid">): string => (grid.clock === "rounds" ? "round" : "s");

/** By rate, then by workers. */
export function frontTable(report: SweepReport): string[][] {
  const { grid } = report;
  const rates = ratesOf(report);
  const place = ({ rate, workers }: SweptMean) => rates.indexOf(rate) * 2 ** 11 + workers;
  const rows = report.front.toSorted((a, b) => place(a) - place(b));
  const per = unitOfRate(report);
  const hasRates = grid.rates !== undefined;
  const hasSlo = report.attainment !== undefined;
  return [
    [
      ...["policy", ...(hasRates ? [`requests/${per}`] : []), "workers", "TTFT p99"],
      ...["TPOT p99", `tokens/${per} a worker`, "J per token", ...(hasSlo ? ["within SLO"] : [])],
    ],
    ...rows.map((row) => [
      ...[policyName(report, row), ...(hasRates ? [threeFigures(row.rate!)] : []), count(row.workers)],
      ...[timeInWords(row.ttft.p99, grid.clock), timeInWords(row.tpot.p99, grid.clock)],
      ...[threeFigures(row.workerThroughput), threeFigures(row.energyPerToken)],
      ...(hasSlo ? [percent(row.attainment!)] : []),
    ]),
  ];
}

/** A row per policy, a column per rate; nothing without an SLO. */
export function fewestTable(report: SweepReport): string[][] | undefined {
  const { fewest, grid } = report;
  if (!fewest) return undefined;
  const rates = ratesOf(report);
  const most = Math.max(...grid.workers);
  const head = rates.map((rate) => (rate === undefined ? "workers" : `${threeFigures(rate)}/${unitOfRate(report)}`));
  const policies = [...new Set(fewest.map((one) => policyName(report, one)))];
  const cell = (policy: string, rate: number | undefined) => {
    const { workers } = fewest.find((one) => policyName(report, one) === policy && one.rate === rate)!;
    return workers === null ? `more than ${count(most)}` : count(workers);
  };
  return [["policy", ...head], ...policies.map((policy) => [policy, ...rates.map((rate) => cell(policy, rate))])];
}

/** A row per configuration; nothing where nobody asks. */
export function breakingTable(report: SweepReport): string[][] | undefined {
  const { breaking } = report;
  if (!breaking) return undefined;
  const per = unitOfRate(report);
  return [
    ["policy", "workers", `holds at requests/${per}`, "a worker", "breaks at", "within SLO"],
    ...breaking.map((one) => [
      ...[policyName(report, one), count(one.workers), fourFigures(one.holds), fourFigures(one.holds / one.workers)],
      ...[Number.isFinite(one.breaks) ? fourFigures(one.breaks) : "-", percent(one.attainment)],
    ]),
  ];
}

/** Where a rate holds and where it breaks is 1 % of each other. */
const fourFigures = (value: number) => fixed(value, decimalsOf(value));
