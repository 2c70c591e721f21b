/** Tables of caches: a row per policy, and one for what none of them beats. */
import type { AtCapacity, CacheReport, SimulatedPolicy } from "../reports/cache_report.ts";
import { decimalsFor, fixed, percent, threeFigures, timeInWords, timesInWords, timeUnit } from "./simulation_units.ts";

interface Column {
  head: string;
  cell(policy: SimulatedPolicy): string;
  /** In the bound's row; "-" by default. */
  bound?: string;
}

export function cacheTable(
  { sizes, costs, costUnit }: Pick<CacheReport, "sizes" | "costs" | "costUnit">,
  { policies, bound }: AtCapacity,
): string[][] {
  const cost = scaleOf("cost", [...policies.map(({ cost }) => cost), bound?.cost ?? 0], costUnit);
  const regrets = policies.map(({ regret }) => Math.abs(regret));
  const regret = scaleOf("regret", regrets, costUnit);
  const columns: Column[] = [
    { head: cost.head, cell: (one) => cost.shown(one.cost), bound: bound && cost.shown(bound.cost) },
    ...(bound ? [overBound] : []),
    { head: "hits", cell: ({ hitRatio }) => percent(hitRatio) },
    // Of equal sizes that is the same.
    ...(sizes[0] < sizes[1] ? [byteHits] : []),
    // Where all misses cost the same, hits tell.
    ...(costs[0] < costs[1] ? latencies(policies, costUnit) : []),
    { head: regret.head, cell: (one) => regret.shown(one.regret) },
  ];
  return [
    ["policy", ...columns.map(({ head }) => head)],
    ...policies.map((policy) => [policy.policy, ...columns.map(({ cell }) => cell(policy))]),
    ...(bound ? [[bound.exact ? "optimum" : "bound", ...columns.map((column) => column.bound ?? "-")]] : []),
  ];
}

function latencies(policies: readonly SimulatedPolicy[], unit: CacheReport["costUnit"]): Column[] {
  const waits = policies.flatMap(({ latency: { mean, p99 } }) => [mean, p99]);
  const { head, shown } = scaleOf("latency mean", waits, unit);
  return [
    { head, cell: ({ latency }) => shown(latency.mean) },
    { head: "p99", cell: ({ latency }) => shown(latency.p99) },
  ];
}

const byteHits: Column = { head: "of sizes", cell: ({ byteHitRatio }) => percent(byteHitRatio) };
const overBound: Column = {
  head: "x bound",
  cell: ({ overBound }) => (overBound === undefined ? "-" : timesInWords(overBound)),
  bound: timesInWords(1),
};

/** For costs that stand below each other. */
export function scaleOf(what: string, values: readonly number[], unit: CacheReport["costUnit"]) {
  const { name, perUnit, decimals } = unit === "s" ? timeUnit(values, "seconds") : plainUnit(values, unit);
  return {
    head: name === undefined ? what : `${what}, ${name}`,
    shown: (value: number) => fixed(value * perUnit, decimals),
  };
}

function plainUnit(values: readonly number[], name: string | undefined) {
  return { name, perUnit: 1, decimals: values.every(Number.isInteger) ? 0 : decimalsFor(values) };
}

export function costInWords(cost: number, unit: CacheReport["costUnit"]): string {
  if (unit === "s") return timeInWords(cost, "seconds");
  return unit === undefined ? threeFigures(cost) : `${threeFigures(cost)} ${unit}`;
}
