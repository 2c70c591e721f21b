/** What `simulate` says on a terminal, and in sentences. */

import type { Slo } from "../../serving/simulator/options.ts";
import { goesByPredictions } from "../reports/schedules.ts";
import type { SimulationReport } from "../reports/simulation_report.ts";
import { boundInWords } from "./bound_words.ts";
import { plainTable } from "./plain_table.ts";
import { differenceTable, latencyTable, workTable } from "./simulation_tables.ts";
import { threeFigures, timeInWords } from "./simulation_units.ts";
import { count, paragraph, plural } from "./words.ts";

export function simulationInWords(report: SimulationReport): string {
  const differences = differenceTable(report);
  return [
    plainTable(latencyTable(report)),
    plainTable(workTable(report)),
    ...(differences ? [`${differenceHeading(report)}:\n${plainTable(differences)}`] : []),
    paragraph(...legend(report)),
  ].join("\n\n");
}

export function differenceHeading({ seeds, reference }: SimulationReport): string {
  return `What each has more than ${reference}, mean over ${seeds.length} seeds with half of its 95 % interval`;
}

/** Sentences for below the tables. */
export function legend(report: SimulationReport): string[] {
  return [
    ...whatIsServed(report),
    ...howItIsServed(report),
    stepTimeInWords(report),
    ...latenciesInWords(report),
    ...boundInWords(report),
    ...sharesInWords(report),
    ...remarks(report),
  ];
}

function whatIsServed(report: SimulationReport): string[] {
  const { classes } = report;
  const ofClasses =
    classes && `Classes: prompts of up to ${classes.map(count).join(", up to ")} tokens, and longer ones.`;
  return [arrivalsInWords(report), ...(ofClasses ? [ofClasses] : [])];
}

type Arriving = Pick<
  SimulationReport,
  "source" | "requests" | "recorded" | "drawn" | "rate" | "pool" | "clock" | "seeds"
>;

export function arrivalsInWords(report: Arriving): string {
  const { source, requests, recorded, drawn, rate, pool, clock, seeds } = report;
  const per = clock === "rounds" ? "round" : "s";
  const some = requests < recorded ? `The first ${count(requests)} of ${count(recorded)}` : count(recorded);
  const arrivals =
    pool !== undefined
      ? `, of which ${count(pool)} at a time wait at the router, refilled as some begin`
      : rate === "inf"
        ? ", which all arrive at once"
        : rate === undefined
          ? ""
          : `, arriving at random, ${threeFigures(rate)} per ${per} (Poisson, ${seedsInWords(seeds)})`;
  const requestsOf = drawn
    ? `${plural(requests, "request")}, their lengths drawn from the ${count(recorded)} of ${source}`
    : `${some} requests of ${source}`;
  return `${requestsOf}${arrivals}.`;
}

export function seedsInWords(seeds: readonly number[]): string {
  return seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds[0]} to ${seeds[seeds.length - 1]}`;
}

function howItIsServed(report: SimulationReport): string[] {
  const { workers, slots, kvTokens, barrier, prefill, staleness, clock } = report;
  const together = barrier ? ", all stepping together" : "";
  const sentences = [
    `${plural(workers, "worker")} with ${plural(slots, "slot")} and ${count(kvTokens)} KV tokens each${together}; ${whoBegins(report)}.`,
  ];
  if (typeof prefill === "object" && "chunk" in prefill) {
    sentences.push(`A step prefills at most ${plural(prefill.chunk, "prompt token")} of a worker.`);
  } else if (typeof prefill === "object") {
    const per = clock === "rounds" ? "round" : "s";
    const bandwidth = `${threeFigures(prefill.bandwidth)} KV tokens per ${per}`;
    sentences.push(
      `Prompts are prefilled by ${plural(prefill.workers, "more worker")} of that size and sent on at ${bandwidth}.`,
    );
  }
  if (staleness > 0) sentences.push(`The router reads the workers' signals every ${timeInWords(staleness, clock)}.`);
  return sentences;
}

/** Within a worker, and what becomes of the evicted. */
function whoBegins({ policies, eviction }: SimulationReport): string {
  const schedules = [...new Set(policies.map(({ schedule }) => schedule))];
  const order =
    schedules.length === 1 && schedules[0] === "fcfs"
      ? "within a worker first come first served"
      : `within a worker by ${schedules.join(", ")}`;
  return eviction === "recompute" ? `${order}, evicted requests keeping their tokens` : order;
}

export function stepTimeInWords({
  clock,
  stepTime,
  stepTimeFrom,
}: Pick<SimulationReport, "clock" | "stepTime" | "stepTimeFrom">): string {
  if (clock === "rounds" || !stepTime) return "Every step is one round.";
  const us = (seconds: number, what: string) =>
    seconds === 0 ? [] : [`${threeFigures(seconds * 1e6)} us per ${what}`];
  const parts = [
    timeInWords(stepTime.base, clock),
    ...us(stepTime.perSequence, "request"),
    ...us(stepTime.perKvToken * 1e3, "1,000 KV tokens"),
    ...us(stepTime.perPrefillToken, "prompt token"),
    ...us(stepTime.perContext * 1e6, "million query-key pairs of prefill"),
  ];
  const from =
    stepTimeFrom === "default" ? "of Qwen3-30B-A3B on one RTX PRO 6000: --step-time takes yours" : `of ${stepTimeFrom}`;
  return `A step takes ${parts.join(" + ")} (${from}).`;
}

function latenciesInWords(report: SimulationReport): string[] {
  const { seeds, warmUp, clock, policies } = report;
  const interval = seeds.length === 1 ? "of batches of requests that follow each other" : `over ${seeds.length} seeds`;
  const [{ summaries }] = policies;
  const counted = summaries[0].requests;
  const after = warmUp > 0 ? ` of the ${count(counted)} requests from ${timeInWords(warmUp, clock)} on` : "";
  const hasInterval = policies.some(({ figures }) => !Number.isNaN(figures["ttft.mean"]!.halfWidth));
  return [
    "TTFT: from arrival to the first token; TPOT: per token after it; E2E: from arrival to the last token;",
    `mean${hasInterval ? ` with half of its 95 % interval (${interval})` : ""}, median and 99th percentile${after}.`,
  ];
}

function sharesInWords(report: SimulationReport): string[] {
  const { policies, clock, barrier, slo, reference: named } = report;
  const reference = policies.find(({ policy }) => policy === named)!.summaries[0];
  const [from, to, makespan] = [reference.from, reference.to, reference.makespan].map((t) => timeInWords(t, clock));
  const sentences = [
    `All else is from ${reference.from === 0 ? "the beginning" : from} to the last start, not of the drain after it: with ${named} to ${to} of ${makespan}.`,
    "Queue: requests that wait; slots and KV: shares in use;",
    barrier
      ? `idle: mean over steps and workers of 1 - load / largest load; ${waitsInWords(clock)}`
      : "idle: share of the time in which a worker does no step;",
    "imbalance: KV tokens by which workers are below the fullest, in all;",
    "evictions: requests that lost their KV and began again;",
    `energy: 100 W a worker, and up to 300 W more${clock === "rounds" ? ", a round counting as a second" : ""}.`,
  ];
  if (slo) sentences.push(`Goodput: finished requests with ${goodputInWords(slo, clock)}.`);
  return sentences;
}

function waitsInWords(clock: SimulationReport["clock"]): string {
  const all =
    clock === "rounds"
      ? "of the largest loads what is above the mean"
      : "of the steps' time what even loads would save";
  return `waits: ${all}; routable: the part of it that other routing of the same starts could save at the most, the rest being unavoidable;`;
}

export function goodputInWords(slo: Slo | readonly Slo[], clock: SimulationReport["clock"]): string {
  if ("length" in slo) return slo.map((one, j) => `${goodputInWords(one, clock)} (class ${j})`).join(", ");
  const limits = [
    ...(slo.ttft === undefined ? [] : [`TTFT <= ${timeInWords(slo.ttft, clock)}`]),
    ...(slo.tpot === undefined ? [] : [`TPOT <= ${timeInWords(slo.tpot, clock)}`]),
  ];
  return limits.join(" and ");
}

/** What a reader should know of single policies. */
function remarks(report: SimulationReport): string[] {
  const { policies, prediction, sessions, blocks, caching, tooLarge } = report;
  const has = (...names: string[]) =>
    [...new Set(policies.map(({ route }) => route as string))].filter((name) => names.includes(name));
  const sentences: string[] = [];
  if (has("bfio").length > 0) {
    sentences.push(
      prediction === "none"
        ? "bfio sees no predictions of outputs, and takes requests to stay: --prediction gives it some."
        : `bfio sees ${predictionInWords(prediction)}.`,
    );
  }
  const byOutputs = [...new Set(policies.map(({ schedule }) => schedule))].filter(goesByPredictions);
  if (byOutputs.length > 0 && prediction !== "none") {
    sentences.push(
      `${byOutputs.join(", ")} ${byOutputs.length === 1 ? "sees" : "see"} ${predictionInWords(prediction)}.`,
    );
  }
  if (!sessions && has("consistent-hash").length > 0) {
    sentences.push("consistent-hash goes by the requests' numbers, as the trace has no sessions.");
  }
  const byPrefix = has("cache-aware", "lmetric");
  if (!blocks && byPrefix.length > 0) {
    sentences.push(`The trace has no prefix blocks, for ${byPrefix.join(" and ")} to go by.`);
  }
  if (caching !== "lru") {
    sentences.push(
      blocks
        ? `Prefix caches keep what ${caching} says.`
        : `The trace has no prefix blocks, for caches to keep by ${caching}.`,
    );
  }
  const { rejected } = policies[0].summaries[0];
  if (tooLarge === "reject") {
    sentences.push(`Rejected, being larger than a worker's memory: ${plural(rejected, "request")}.`);
  }
  return sentences;
}

export function predictionInWords(prediction: Exclude<SimulationReport["prediction"], "none">): string {
  if (prediction === "exact") return "the exact output of each request";
  if ("factor" in prediction) return `outputs that are off by up to ${prediction.factor} times`;
  if ("interval" in prediction) return `that outputs are from ${prediction.interval.join(" to ")} tokens`;
  return `in which ${plural(prediction.bins, "token")} each output is`;
}
