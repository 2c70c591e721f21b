/** What `bound` says. */
import type { BoundReport, BoundSetting, Dearest } from "../reports/bound_report.ts";
import { type Clock, PRICED_TOKENS, proofInWords } from "./bound_words.ts";
import { plainTable } from "./plain_table.ts";
import { fixed, threeFigures, timesInWords, timeUnit } from "./simulation_units.ts";
import { arrivalsInWords, stepTimeInWords } from "./simulation_words.ts";
import { count, decimalsOf, paragraph, plural } from "./words.ts";

export function boundReportInWords(report: BoundReport): string {
  return [plainTable(boundTable(report)), paragraph(...boundLegend(report))].join("\n\n");
}

/** A row per schedule, and one for the bound. */
export function boundTable({ bound, schedules, clock }: BoundReport): string[][] {
  const { name, perUnit } = timeUnit([bound.mean], clock);
  const decimals = Math.min(3, decimalsOf(bound.mean * perUnit) + 1);
  const row = (what: string, mean: number, times: number) => [
    what,
    fixed(mean * perUnit, decimals),
    timesInWords(times),
  ];
  return [
    ["schedule", `E2E mean, ${name}`, "x bound"],
    ...schedules.map(({ schedule, mean, overBound }) => row(schedule, mean, overBound)),
    row("bound", bound.mean, 1),
  ];
}

/** Sentences for below the table. */
export function boundLegend(report: BoundReport): string[] {
  const { bound, clock, dearest } = report;
  const { evaluations, seconds, backend, proof } = bound;
  const took = `${seconds.toPrecision(2)} s`;
  const search =
    proof === "prices"
      ? `${plural(evaluations, "evaluation")} in ${took} on the ${backend === "cpu" ? "CPU" : "GPU"}`
      : `found in ${took}`;
  const reached = report.schedules.find(({ overBound }) => overBound === 1);
  return [
    `${arrivalsInWords(report)} ${workersInWords(report)}.`,
    stepTimeInWords(report),
    `Bound: no schedule has a lower mean E2E, even one that knows all requests beforehand; ${proofInWords(bound, clock, report.slots === undefined ? "memory" : undefined)} (${search}).`,
    reached
      ? `It is reached by ${reached.schedule}, which is optimal.`
      : "Whether any schedule reaches it is not said.",
    ...(dearest.kv
      ? [dearestInWords(dearest.kv, "KV memory", `${count(PRICED_TOKENS)} more tokens`, PRICED_TOKENS, clock)]
      : []),
    ...(dearest.slot ? [dearestInWords(dearest.slot, "slots", "one more", 1, clock)] : []),
    ...(dearest.worker ? [dearestInWords(dearest.worker, "workers", "one more", 1, clock)] : []),
    "The schedules, with least-kv where there are several workers, see all outputs but for fcfs.",
    ...(clock === "rounds" ? ["Best found: a search that knows all requests beforehand, as no policy does."] : []),
  ];
}

function workersInWords({ workers, slots, kvTokens, eviction }: BoundSetting): string {
  const evicted = eviction === "recompute" ? ", where evicted requests keep their tokens" : "";
  const each = workers === 1 ? "" : " each";
  const some = slots === undefined ? "" : `${plural(slots, "slot")} and `;
  return `${plural(workers, "worker")} with ${some}${count(kvTokens)} KV tokens${each}${evicted}`;
}

function dearestInWords(
  { from, to, price }: Dearest,
  what: string,
  more: string,
  amount: number,
  clock: Clock,
): string {
  const span =
    clock === "rounds" ? `rounds ${count(from + 1)} to ${count(to)}` : `${threeFigures(from)} to ${threeFigures(to)} s`;
  const unit = clock === "rounds" ? "round" : "second";
  const saved = `${threeFigures(amount * price)} ${clock === "rounds" ? "rounds" : "s"}`;
  return `Dearest: ${what} from ${span}, where ${more} for a ${unit} would lower the bound of all latencies together by ${saved} at the most.`;
}

export interface CheckedBound {
  valid: boolean;
  claimed: number;
  proven: number;
}

export function certifiedInWords({ valid, claimed, proven }: CheckedBound, setting: BoundSetting): string {
  const { clock } = setting;
  const exactly = (mean: number) => {
    const { name, perUnit } = timeUnit([mean], clock);
    return `${fixed(mean * perUnit, Math.min(3, decimalsOf(mean * perUnit) + 1))} ${name}`;
  };
  const what = `a bound of mean E2E of ${exactly(claimed)}`;
  if (valid)
    return paragraph(`Proven: ${what}, for ${plural(setting.requests, "request")} on ${workersInWords(setting)}.`);
  const instead = proven > 0 ? `the prices prove ${exactly(proven)}` : "the prices prove nothing";
  return paragraph(
    `NOT proven: ${what}, for ${plural(setting.requests, "request")} on ${workersInWords(setting)}: ${instead}.`,
  );
}
