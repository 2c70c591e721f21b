/** What `plan` says on a terminal. */
import type { Move } from "../../planner/moves.ts";
import { type CostFile, costInWords } from "../files/cost_file.ts";
import { type FileFormat, refusesKeys } from "../files/placement_output.ts";
import { sidecarOf } from "../files/sidecar.ts";
import type { PlanReport } from "../reports/plan_report.ts";
import type { PlanTimes } from "../reports/plan_times.ts";
import { plainTable } from "./plain_table.ts";
import { boundInWords, planTable, timesHeading, timesTable, whatIsMeasured } from "./plan_words.ts";
import { paragraph, plural, ranges } from "./words.ts";

/** Where a plan went, and what it was asked. */
export interface Written {
  out: string | undefined;
  format: FileFormat;
  moeLayers: readonly number[];
  cost: CostFile | undefined;
}

export function planInWords(report: PlanReport, written: Written): string {
  const { dead, newGpus, time } = report;
  const { cost } = written;
  const moves = dead.length > 0 || newGpus > 0 ? [movesTable(report.moves!)] : [];
  const times = time && cost ? [`${timesHeading(cost)}:\n${plainTable(timesTable(time, report))}`] : [];
  return [plainTable(planTable(report)), ...times, ...moves, paragraph(...legend(report, written))].join("\n\n");
}

/** What to load, and from where: the work of who brings the system back. */
function movesTable(moves: readonly Move[]): string {
  if (moves.length === 0) return "No slot changes.";
  const rows = moves.map(({ layer, slot, gpu, expert, source }) => {
    return [layer, slot, gpu, expert, source ?? "none: reload from disk"].map(String);
  });
  return plainTable([["layer", "slot", "on GPU", "gets expert", "from GPU"], ...rows]);
}

function legend(report: PlanReport, { out, format, moeLayers, cost }: Written): string[] {
  const { objective, inForce, eplb, optimized, search, seconds, dead, time } = report;
  const { sharedTopology: shared, stoppedBy } = search;
  const sentences = whatIsMeasured(report);
  if (inForce) sentences.push("Moved: slots whose GPU must load another expert than in force.");
  if (dead.length > 0) {
    sentences.push(
      "Slots of dead GPUs are as they were, and no token may be sent there; imbalances are among the living.",
    );
  }
  if (dead.length > 0 && moeLayers.length < report.layers) {
    const others = [...Array(report.layers).keys()].filter((layer) => !moeLayers.includes(layer));
    sentences.push(`Layers ${ranges(others)} are left as they were, having no tokens: --moe-layers says otherwise.`);
  }
  if (shared) {
    const [one, own] = [shared.shared, shared.free].map((imbalance) => imbalance.toFixed(3));
    sentences.push(
      `One replica graph for all layers: ${one} on the fitted steps, where a graph each would give ${own}.`,
    );
  }
  if (optimized.all.even[objective] > eplb.all.even[objective]) {
    sentences.push(
      "The plan is made for tokens that an LP splits: where replicas share evenly, EPLB's placement is the better one.",
    );
  }
  sentences.push(...keptInWords(report), ...boundInWords(report), ...historyInWords(report));
  if (time && cost) sentences.push(...timesInWords(time, cost));
  const more =
    stoppedBy === "budget" ? "; the budget cut it short in some layers: a larger --budget may find better" : "";
  sentences.push(`The search took ${seconds.toFixed(0)} s${more}.`);
  if (search.crew.why !== undefined) sentences.push(`It ran on one thread: ${search.crew.why}`);
  sentences.push(out === undefined ? "Nothing is written without --out." : `Written to ${out} for ${format}.`);
  if (out !== undefined && format !== "sglang" && (format === "trtllm" || moeLayers.length < report.layers)) {
    sentences.push(`It has the layers ${ranges(moeLayers)}, the others being dense: --moe-layers says otherwise.`);
  }
  const sidecar = out !== undefined && refusesKeys.includes(format) ? sidecarOf(out) : undefined;
  if (sidecar !== undefined) sentences.push(`${sidecar} has its number of GPUs, for --placement.`);
  return sentences;
}

/** Layers that keep what the search began with. */
function keptInWords({ search, eplb, inForce }: PlanReport): string[] {
  const kept = [...search.layers.keys()].filter((layer) => search.layers[layer].kept && eplb.layers[layer].batches > 0);
  if (kept.length === 0) return [];
  const what = inForce ? "what is in force" : "EPLB's placement";
  return [
    `${kept.length === 1 ? "Layer" : "Layers"} ${ranges(kept)} ${kept.length === 1 ? "keeps" : "keep"} ${what}: nothing was found ` +
      "that is better on the fitted steps and holds on their last quarter, which it was not fitted to.",
  ];
}

/** Within this of the best, a shorter history is as good. */
const AS_GOOD = 0.002;

function historyInWords({ historyWorth }: PlanReport): string[] {
  if (historyWorth.length === 0) return [];
  const best = historyWorth.reduce((least, { imbalance }) => Math.min(least, imbalance), Infinity);
  const enough = historyWorth.find(({ imbalance }) => imbalance <= best + AS_GOOD)!;
  const last = historyWorth[historyWorth.length - 1];
  const each = historyWorth.map(({ batches, imbalance }) => `${imbalance.toFixed(3)} by ${batches}`).join(", ");
  const verdict =
    enough === last
      ? "a longer recording may do better still"
      : `the last ${plural(enough.batches, "step")} would have been enough`;
  return [`History: fitted to ever more of the latest steps, a few layers come to ${each}: ${verdict}.`];
}

function timesInWords({ tokenPlan, plan }: PlanTimes, cost: CostFile): string[] {
  const times = (plan.all.mean === 0 ? 1 : tokenPlan.all.mean / plan.all.mean).toFixed(3);
  return [
    `Each placement's tokens are split to be done soonest. The plan for tokens takes ${times} times as long as this one for time.`,
    costInWords(cost),
  ];
}
