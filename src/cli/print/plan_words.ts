import type { Objective } from "../../planner/objective.ts";
import { type CostFile, unitOf } from "../files/cost_file.ts";
import type { Measured, PlanReport } from "../reports/plan_report.ts";
import type { PlanTimes } from "../reports/plan_times.ts";
import { fractionsInWords, type Imbalance, toWithinOne } from "../reports/split_imbalance.ts";
import { droppedInWords } from "../reports/step_split.ts";
import { decimalsOf } from "./words.ts";

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
  const { gpus, experts, redundant, nodes, replicas, objective, fittedTo, measuredOn, dead, newGpus } = report;
  const alive = dead.length > 0 ? ` of which ${gpus - dead.length} are alive` : "";
  const added = newGpus > 0 ? `, ${newGpus} of them new` : "";
  const spread = {
    "within-node": ", replicas within one",
    "across-nodes": ", replicas on different ones",
    anywhere: "",
  };
  return [
    `${gpus} GPUs${alive}${added}${nodes > 1 ? ` on ${nodes} nodes${spread[replicas]}` : ""}, ${experts} experts, ${redundant} redundant. ${measureOf[objective]}, the busiest GPU's load over`,
    fittedTo === measuredOn
      ? `the mean, on ${measuredOn}, to which the placements are fitted, too:`
      : `the mean, on ${measuredOn}, the placements being fitted to ${fittedTo}:`,
    "none, experts in order without replicas; even, the replicas of an expert share its tokens evenly" +
      `${toWithinOne(report.tokens)}; LP, the best split.`,
    ...droppedInWords(report.dropped),
    ...fractionsInWords(report.tokens),
  ];
}

export function timesHeading(cost: CostFile): string {
  return `Time until the last GPU is done with its experts, in ${unitOf(cost)}`;
}

/** A row per layer, and one for all. */
export function timesTable(
  { eplb, inForce, tokenPlan, plan, bound }: PlanTimes,
  { objective, lost }: PlanReport,
): string[][] {
  const repaired = lost.some(({ length }) => length > 0);
  const columns = [
    { name: "EPLB", times: eplb },
    ...(inForce ? [{ name: repaired ? "repaired" : "in force", times: inForce }] : []),
    { name: "plan for tokens", times: tokenPlan },
    { name: "plan for time", times: plan },
    { name: "bound", times: bound },
  ];
  const decimals = decimalsOf(plan.all.mean);
  const cells = (of: (times: PlanTimes["plan"]) => Imbalance) =>
    columns.map(({ times }) => of(times)[objective].toFixed(decimals));
  const rows = plan.layers.map((_, layer) => [`${layer}`, ...cells(({ layers }) => layers[layer])]);
  return [["layer", ...columns.map(({ name }) => name)], ...rows, ["all", ...cells(({ all }) => all)]];
}

/** A bound above 1 by more than this is worth a remedy. */
const WORTH_A_REMEDY = 0.01;

/** What no placement could do, and whether it is replicas that are wanting. */
export function boundInWords(report: PlanReport): string[] {
  const { bound, boundOfMore, objective, gpus, experts, redundant, dead } = report;
  const least = bound.all[objective];
  const sentences = [
    `No placement of these slots could come below ${least.toFixed(3)} on these steps, whatever the split (a bound).`,
  ];
  if (least - 1 > WORTH_A_REMEDY) {
    const more = boundOfMore
      ? `: with ${boundOfMore.redundant} redundant experts the bound is ${boundOfMore.all[objective].toFixed(3)}`
      : "";
    sentences.push(
      `What that is above 1 no other placement can mend, only more replicas: the hottest experts have too few${more}.`,
    );
  }
  if ((experts + redundant) / gpus === 1 && dead.length === 0) {
    sentences.push(
      "With one slot on each GPU the LP has nothing to decide: a GPU has one expert, and an expert's replicas can but share its tokens evenly.",
    );
  }
  return sentences;
}
