import { type CostFile, costInWords } from "../files/cost_file.ts";
import type { PlanReport } from "../reports/plan_report.ts";
import { type CurvePoint, worthOf } from "../reports/redundancy_curve.ts";
import { plainTable } from "./plain_table.ts";
import { boundInWords, timesHeading } from "./plan_words.ts";
import { decimalsOf, paragraph } from "./words.ts";

/** What `plan` says of several numbers of replicas, on a terminal. */
export function curveInWords(curve: CurvePoint[], reports: PlanReport[], cost: CostFile | undefined): string {
  const last = reports[reports.length - 1];
  const { experts, gpus, objective } = last;
  const decimals = decimalsOf(Math.max(...curve.map(({ eplb }) => eplb[objective])));
  const rows = curve.map(({ redundant, eplb, plan, bound }, i) => [
    `${redundant}`,
    `${(experts + redundant) / gpus}`,
    ...[eplb[objective], plan[objective], plan.p95, bound].map((value) => value.toFixed(decimals)),
    i === 0 ? "-" : `${(100 * worthOf(curve[i - 1], curve[i], objective)).toFixed(1)} %`,
  ]);
  const head = ["redundant", "slots per GPU", "EPLB + LP", "plan + LP", "p95", "bound", "saves"];
  const { fittedTo, measuredOn } = last;
  const figure = cost
    ? `${timesHeading(cost)}, each placement split to be done soonest,`
    : "Imbalance, the busiest GPU's load over the mean,";
  const sentences = [
    `${gpus} GPUs, ${experts} experts. ${figure} on ${measuredOn}, the placements being fitted to ${fittedTo}.`,
    "Saves: what the plan takes off the plan of the row above. Bound: no placement of so many slots has less on average.",
    ...boundInWords(last),
    ...(cost ? [costInWords(cost)] : []),
    "Nothing is written: --out needs one number of --redundant.",
  ];
  return [plainTable([head, ...rows]), paragraph(...sentences)].join("\n\n");
}
