/** What `sweep` says on a terminal, and in sentences. */
import type { Ran, SweepPart } from "../reports/sweep_part.ts";
import type { SweepReport } from "../reports/sweep_report.ts";
import { type Shard, shardName } from "../reports/sweep_setting.ts";
import { plainTable } from "./plain_table.ts";
import { percent, threeFigures } from "./simulation_units.ts";
import { goodputInWords, predictionInWords, seedsInWords, stepTimeInWords } from "./simulation_words.ts";
import { breakingTable, fewestTable, frontTable } from "./sweep_tables.ts";
import { count, paragraph, plural } from "./words.ts";

/** Rows of a table on a terminal. */
const MOST_ROWS = 40;

export function sweepInWords(report: SweepReport): string {
  const [fewest, breaking] = [fewestTable(report), breakingTable(report)];
  return [
    `${frontHeading(report)}:\n${shortTable(frontTable(report))}`,
    ...(fewest ? [`${fewestHeading(report)}:\n${plainTable(fewest)}`] : []),
    ...(breaking ? [`${BREAKING_HEADING}:\n${shortTable(breaking)}`] : []),
    paragraph(...legend(report)),
  ].join("\n\n");
}

export function shardInWords({ source, requests }: SweepPart, shard: Shard, file: string): string {
  const what = `Shard ${shardName(shard)} of a sweep of ${plural(requests, "request")} of ${source} is in ${file}.`;
  return `${what} evenkeel merge puts all shards together.`;
}

/** The last line, which no two runs have alike. */
export function ranInWords({ scenarios, ms, backend, reason, longestDispatch }: Ran): string {
  const each = scenarios === 0 ? "" : `, ${threeFigures(ms / scenarios)} ms each`;
  const dispatch = backend === "webgpu" ? ` The longest dispatch took ${threeFigures(longestDispatch)} ms.` : "";
  return `${plural(scenarios, "scenario")} on ${backend === "cpu" ? "the CPU" : "WebGPU"}${each}. ${reason}${dispatch}`;
}

function shortTable(rows: string[][]): string {
  if (rows.length <= MOST_ROWS + 1) return plainTable(rows);
  return `${plainTable(rows.slice(0, MOST_ROWS + 1))}\nand ${count(rows.length - 1 - MOST_ROWS)} more, which --json and --html show.`;
}

export function frontHeading({ front, scenarios, grid }: SweepReport): string {
  const all = scenarios.length / (grid.seeds?.length ?? 1);
  const each = grid.rates && grid.rates.length > 1 ? " at each rate" : "";
  return `Pareto front${each}, ${count(front.length)} of ${plural(all, "configuration")}`;
}

export function fewestHeading({ grid }: SweepReport): string {
  return `Fewest workers within the SLO${grid.rates ? " at each rate" : ""}`;
}

export const BREAKING_HEADING = "Rate at which the SLO breaks";

/** Sentences for below the tables. */
export function legend(report: SweepReport): string[] {
  return [
    whatIsServed(report),
    ...howItIsServed(report),
    stepTimeInWords({
      clock: report.grid.clock,
      stepTime: report.grid.worker.stepTime,
      stepTimeFrom: report.stepTimeFrom,
    }),
    ...whatIsShown(report),
    ...withinSlo(report),
    ...remarks(report),
  ];
}

function whatIsServed({ source, requests, recorded, grid }: SweepReport): string {
  const { rates, arrivals, seeds = [0] } = grid;
  const some = requests < recorded ? `The first ${count(requests)} of ${count(recorded)}` : count(recorded);
  const how =
    arrivals !== "replay"
      ? `, arriving at random at each rate (Poisson, ${seedsInWords(seeds)})`
      : rates
        ? ", arriving as recorded, faster or slower for each rate"
        : ", arriving as recorded";
  return `${some} requests of ${source}${how}.`;
}

function howItIsServed({ grid, classes }: SweepReport): string[] {
  const { worker, scheduling = ["fcfs"], prefill, eviction } = grid;
  const order =
    scheduling.length === 1 && scheduling[0] === "fcfs"
      ? "within it first come first served"
      : `within it by ${scheduling.join(", ")}`;
  const kept = eviction === "recompute" ? ", evicted requests keeping their tokens" : "";
  return [
    `A worker has ${plural(worker.slots, "slot")} and ${count(worker.kvTokens)} KV tokens; ${order}${kept}.`,
    ...(typeof prefill === "object" && "chunk" in prefill
      ? [`A step prefills at most ${plural(prefill.chunk, "prompt token")} of a worker.`]
      : []),
    ...(classes ? [`Classes: prompts of up to ${classes.map(count).join(", up to ")} tokens, and longer ones.`] : []),
  ];
}

function whatIsShown({ grid }: SweepReport): string[] {
  const seeds = grid.seeds?.length ?? 1;
  const means = seeds === 1 ? "" : `, means over ${seeds} seeds`;
  const round = grid.clock === "rounds" ? ", a round counting as a second" : "";
  return [
    `On the front are those that no other${grid.rates ? " at that rate" : ""} is as good as in all four figures and better in one${means}:`,
    "99th percentiles, within 1 %, of TTFT, from arrival to the first token, and of TPOT, per token after it;",
    `tokens and energy until the last start, 100 W a worker and 300 W more while it steps${round}.`,
  ];
}

function withinSlo({ grid, attainment, breaking }: SweepReport): string[] {
  if (attainment === undefined || !grid.slo) return [];
  const share = Number.isInteger(100 * attainment) ? `${100 * attainment} %` : percent(attainment);
  const slo = `The SLO: ${share} of the requests with ${goodputInWords(grid.slo, grid.clock)}.`;
  if (!breaking) return [slo];
  return [slo, "Where it holds and breaks was simulated, at rates within 1 % of each other; - where it holds at all."];
}

function remarks({ grid, scenarios }: SweepReport): string[] {
  const { routing = ["leastKv"], prediction = "none", tooLarge } = grid;
  return [
    ...(routing.includes("bfio") ? ["bfio fills a request at a time, without looking ahead."] : []),
    ...(prediction === "none" ? [] : [`svf sees ${predictionInWords(prediction)}.`]),
    ...(tooLarge === "reject"
      ? [`Rejected, being larger than a worker's memory: ${plural(scenarios[0].rejected, "request")}.`]
      : []),
  ];
}
