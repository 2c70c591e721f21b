/** Tables of a simulation: a row per policy. */
import type { Figure, FigureName, Quantity, SpreadName } from "../reports/simulation_figures.ts";
import { quantities } from "../reports/simulation_figures.ts";
import type { PolicyReport, SimulationReport } from "../reports/simulation_report.ts";
import { decimalsFor, estimate, fixed, percent, timesInWords, timeUnit } from "./simulation_units.ts";

export const labels: Record<SpreadName, string> = {
  wait: "wait",
  ttft: "TTFT",
  tpot: "TPOT",
  itl: "ITL",
  latency: "E2E",
};

interface Column {
  head: string;
  cell(policy: PolicyReport): string;
}

function tableOf(report: Pick<SimulationReport, "policies">, columns: readonly Column[]): string[][] {
  const rows = report.policies.map((policy) => [policy.policy, ...columns.map(({ cell }) => cell(policy))]);
  return [["policy", ...columns.map(({ head }) => head)], ...rows];
}

/** The three latencies: mean, median and the 99th percentile. */
export function latencyTable(report: SimulationReport): string[][] {
  const some = (["ttft", "tpot", "latency"] as const).flatMap((name) =>
    timeColumns(report, name, ["mean", "p50", "p99"]),
  );
  return tableOf(report, [...some, ...overBound(report)]);
}

/** One of them, with all that is known of it. */
export function spreadTable(report: SimulationReport, name: SpreadName): string[][] {
  return tableOf(report, [...timeColumns(report, name, quantities), ...(name === "latency" ? overBound(report) : [])]);
}

/** How many times the bound each one's mean latency is; nothing where there is no bound. */
function overBound({ policies }: SimulationReport): Column[] {
  if (policies[0].overBound === undefined) return [];
  return [{ head: "x bound", cell: (policy) => timesInWords(policy.overBound!) }];
}

/** Its name and unit stand at the head of the first. */
function timeColumns(report: SimulationReport, name: SpreadName, some: readonly Quantity[]): Column[] {
  const figures = (quantity: Quantity) => report.policies.map((policy) => figure(policy, `${name}.${quantity}`).mean);
  const { name: unit, perUnit, decimals } = timeUnit(some.flatMap(figures), report.clock);
  return some.map((quantity, i) => ({
    head: i === 0 ? `${labels[name]} ${quantity}, ${unit}` : quantity,
    cell: (policy) => estimate(withoutInterval(figure(policy, `${name}.${quantity}`), quantity), perUnit, decimals),
  }));
}

/** Percentiles have one, too, over seeds, but for a table that would be too much. */
function withoutInterval(figure: Figure, quantity: Quantity): Figure {
  return quantity === "mean" ? figure : { ...figure, halfWidth: Number.NaN };
}

export function figure({ figures }: PolicyReport, name: FigureName): Figure {
  return figures[name] ?? { mean: Number.NaN, halfWidth: Number.NaN };
}

/** What the workers did. */
export function workTable(report: SimulationReport): string[][] {
  const per = report.clock === "rounds" ? "round" : "s";
  const has = (name: FigureName) => report.policies.some(({ figures }) => figures[name] !== undefined);
  const number = (name: FigureName, head: string, scale = 1): Column => {
    const values = report.policies.map((policy) => scale * figure(policy, name).mean);
    const decimals = decimalsFor([Math.max(...values.filter(Number.isFinite), 0)]);
    return { head, cell: (policy) => fixed(scale * figure(policy, name).mean, decimals) };
  };
  const share = (name: FigureName, head: string): Column => ({
    head,
    cell: (policy) => percent(figure(policy, name).mean),
  });
  return tableOf(report, [
    number("requestThroughput", `requests/${per}`),
    number("tokenThroughput", `tokens/${per}`),
    ...(has("goodput") ? [number("goodput", `goodput/${per}`)] : []),
    number("queue", "queue"),
    share("slotUse", "slots"),
    share("kvUse", "KV"),
    share("idle", "idle"),
    ...(has("routable") ? [barrierWaits, share("routable", "routable")] : []),
    number("imbalance", "imbalance"),
    evictions(report),
    number("energy", "kJ", 1e-3),
    ...(has("prefixHit") ? [share("prefixHit", "prefix hits")] : []),
    ...(has("fairness") ? [number("fairness", "fairness")] : []),
  ]);
}

/** What the steps behind a barrier take longer than with even loads, of what they take: of all seeds together. */
const barrierWaits: Column = {
  head: "waits",
  cell({ figures: { stepTime, stepEven } }) {
    return percent(1 - stepEven!.mean / stepTime!.mean);
  },
};

/** Whole, unless they are means. */
function evictions({ seeds }: SimulationReport): Column {
  const decimals = seeds.length === 1 ? 0 : 1;
  return { head: "evictions", cell: (policy) => fixed(figure(policy, "evictions").mean, decimals) };
}

/** What each policy has more than the reference, seed by seed; nothing where there is one seed. */
export function differenceTable(report: SimulationReport): string[][] | undefined {
  if (report.seeds.length === 1) return undefined;
  const policies = report.policies.filter(({ policy }) => policy !== report.reference);
  if (policies.length === 0) return undefined;
  const columns = (["ttft", "tpot", "latency"] as const).flatMap((name) => {
    const names = [`${name}.mean`, `${name}.p99`] as const;
    const of = (policy: PolicyReport, one: FigureName) => figure(policy, one).difference!;
    const sizes = policies.flatMap((policy) => names.map((one) => Math.abs(of(policy, one).mean)));
    const { name: unit, perUnit, decimals } = timeUnit([Math.max(...sizes.filter(Number.isFinite), 0)], report.clock);
    return names.map(
      (one, i): Column => ({
        head: i === 0 ? `${labels[name]} mean, ${unit}` : "p99",
        cell: (policy) => estimate(of(policy, one), perUnit, decimals),
      }),
    );
  });
  return tableOf({ policies }, columns);
}
