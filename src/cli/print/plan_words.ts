import type { Objective } from "../../planner/objective.ts";
import type { Measured, PlanReport } from "../reports/plan_report.ts";
import { fractionsInWords, type Imbalance, toWithinOne } from "../reports/split_imbalance.ts";
import { droppedInWords } from "../reports/step_split.ts";

/** The ways to place and split that a plan is compared with, and itself. */
export function planColumns({ eplb, inForce, optimized, lost }: PlanReport) {
  type Column = { name: string; measured: Measured; of: (splits: Measured["all"]) => Imbalance };
  const repaired = lost.some(({ length }) => length > 0);
  const columns: (Column | undefined)[] = [
    { name: "none", measured: eplb, of: ({ originals }) => originals },
    { name: "EPLB even", measured: eplb, of: ({ even }) => even },
    { name: "EPLB + LP", measured: eplb, of: ({ solved }) => solved },
    inForce && { name: repaired ? "repaired + LP" : "in force + LP", measured: inForce, of: ({ solved }) => solved },
    { name: "plan even", measured: optimized, of: ({ even }) => even },
    { name: "plan + LP", measured: optimized, of: ({ solved }) => solved },
  ];
  return columns.filter((column) => column !== undefined);
}

/** Head, a row per layer, and one for all. */
export function planTable(report: PlanReport): string[][] {
  const { inForce, search, eplb, objective } = report;
  const columns = planColumns(report);
  const movedCell = (moved: number | string) => (inForce ? [`${moved}`] : []);
  const rows = search.layers.map(({ moved }, layer) => {
    if (eplb.layers[layer].batches === 0) return [`${layer}`, ...columns.map(() => "-"), ...movedCell("-")];
    const cells = columns.map(({ measured, of }) => of(measured.layers[layer])[objective].toFixed(3));
    return [`${layer}`, ...cells, ...movedCell(moved)];
  });
  const all = columns.map(({ measured, of }) => of(measured.all)[objective].toFixed(3));
  return [
    ["layer", ...columns.map(({ name }) => name), ...(inForce ? ["moved"] : [])],
    ...rows,
    ["all", ...all, ...movedCell(slotsMoved(report))],
  ];
}

export function slotsMoved({ search }: PlanReport): number {
  return search.layers.reduce((sum, layer) => sum + layer.moved, 0);
}

const measureOf: Record<Objective, string> = {
  mean: "Mean imbalance",
  p95: "95th percentile of the imbalance",
  cvar: "Mean imbalance of the worst twentieth of the batches",
};

/** Sentences for with the table. */
export function whatIsMeasured(report: PlanReport): string[] {
  const { gpus, experts, redundant, nodes, objective, fittedTo, measuredOn, dead, newGpus } = report;
  const alive = dead.length > 0 ? ` of which ${gpus - dead.length} are alive` : "";
  const added = newGpus > 0 ? `, ${newGpus} of them new` : "";
  return [
    `${gpus} GPUs${alive}${added}${nodes > 1 ? ` on ${nodes} nodes` : ""}, ${experts} experts, ${redundant} redundant. ${measureOf[objective]}, the busiest GPU's load over`,
    fittedTo === measuredOn
      ? `the mean, on ${measuredOn}, to which the placements are fitted, too:`
      : `the mean, on ${measuredOn}, the placements being fitted to ${fittedTo}:`,
    "none, experts in order without replicas; even, the replicas of an expert share its tokens evenly" +
      `${toWithinOne(report.tokens)}; LP, the best split.`,
    ...droppedInWords(report.dropped),
    ...fractionsInWords(report.tokens),
  ];
}
