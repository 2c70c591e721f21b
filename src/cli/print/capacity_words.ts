/** What `capacity` says on a terminal. */
import type { CapacityReport, ConfirmedFleet } from "../reports/capacity_report.ts";
import { plainTable } from "./plain_table.ts";
import { percent, threeFigures, timeInWords } from "./simulation_units.ts";
import { count, paragraph, plural } from "./words.ts";

export function capacityInWords(report: CapacityReport): string {
  return [
    plainTable(constraintTable(report)),
    paragraph(...recommendation(report)),
    ...(report.split ? [paragraph(...splitInWords(report))] : []),
    ...(report.confirmed ? [`${confirmedHeading(report)}:\n${plainTable(confirmedTable(report))}`] : []),
    paragraph(...legend(report)),
  ].join("\n\n");
}

function constraintTable({ capacity, options }: CapacityReport): string[][] {
  const { needs, binding } = capacity;
  const row = (name: keyof typeof needs) => [name, count(needs[name]!), name === binding ? "yes" : "no"];
  return [["constraint", "workers", "binds"], row("stability"), row("memory"), ...(options.slo ? [row("slo")] : [])];
}

function recommendation({ capacity, options, percentile, rate }: CapacityReport): string[] {
  const { workers, next, mu, utilization, batch, kvTokens, stepTime, ttft, tpot } = capacity;
  const latencies = [
    ...(ttft === undefined || options.slo?.ttft === undefined ? [] : [`TTFT ${seconds(ttft)}`]),
    ...(tpot === undefined || options.slo?.tpot === undefined ? [] : [`TPOT ${seconds(tpot)}`]),
  ];
  return [
    `${plural(workers, "worker")} for ${threeFigures(rate)} requests per s; one more adds ${threeFigures(next)}.`,
    ...(latencies.length > 0 ? [`At the ${ordinal(percentile)} percentile ${latencies.join(" and ")}.`] : []),
    `A worker can serve ${threeFigures(mu)} requests per s at most, of which this is ${percent(utilization)};`,
    `it runs ${threeFigures(batch)} at a time, which hold ${count(Math.round(kvTokens))} of ${count(options.kvTokens)} KV tokens, in steps of ${seconds(stepTime)}.`,
  ];
}

function splitInWords({ split, rate, bandwidth }: CapacityReport): string[] {
  const { prefill, decode, batch, stepTime, transfer, coLocated, rate: served, binding } = split!;
  return [
    `Prefill apart, by the fluid model: ${prefill} to prefill and ${decode} to decode serve ${threeFigures(served)} requests per s, ${binding} being full first;`,
    `as many that do both serve ${threeFigures(coLocated)}.`,
    `A decoding worker runs up to ${threeFigures(batch)} at a time, in steps of ${seconds(stepTime)};`,
    `KV takes ${seconds(transfer)} to it on average, at ${threeFigures(bandwidth!)} tokens per s.`,
    ...(coLocated < rate ? ["Together they would be too few."] : []),
  ];
}

function confirmedHeading({ arrivals, percentile }: CapacityReport): string {
  const which = arrivals === "recorded" ? "with the trace's own arrivals" : "with another draw";
  return `Simulated ${which}, ${ordinal(percentile)} percentiles`;
}

function confirmedTable({ confirmed, options }: CapacityReport): string[][] {
  const fleetOf = ({ workers, prefill }: ConfirmedFleet) =>
    prefill === undefined ? count(workers) : `${prefill} prefill + ${workers} decode`;
  return [
    ["workers", "TTFT", "TPOT", "queue", ...(options.slo ? ["SLO"] : [])],
    ...confirmed!.map((fleet) => [
      ...[fleetOf(fleet), seconds(fleet.ttft), seconds(fleet.tpot), threeFigures(fleet.queue)],
      ...(options.slo ? [fleet.meets ? "met" : "missed"] : []),
    ]),
  ];
}

function legend({
  source,
  requests,
  meanInput,
  meanOutput,
  arrivals,
  options,
  percentile,
  stepTimeFrom,
}: CapacityReport) {
  const { slo } = options;
  const limits = [
    ...(slo?.ttft === undefined ? [] : [`TTFT of ${seconds(slo.ttft)}`]),
    ...(slo?.tpot === undefined ? [] : [`TPOT of ${seconds(slo.tpot)}`]),
  ];
  return [
    `${plural(requests, "request")} of ${source}, of ${threeFigures(meanInput)} prompt and ${threeFigures(meanOutput)} output tokens on average${arrivals === "recorded" ? ", at the trace's mean rate" : ""}; Poisson arrivals.`,
    "stability: with fewer what requests add to steps takes more time than there is.",
    limits.length > 0
      ? "memory: with fewer it, or the slots, are full, and the queue grows."
      : "memory: with as many it, and the slots, hold all under every policy that lets the next begin as soon as it fits.",
    ...(limits.length > 0
      ? [
          `slo: with fewer the ${ordinal(percentile)} percentile is above a ${limits.join(", or a ")}; by simulation, each request at the worker with the fewest KV tokens, first come first served.`,
        ]
      : []),
    `A step's time is ${stepTimeFrom === "default" ? "that of Qwen3-30B-A3B on one RTX PRO 6000; --step-time gives another" : `by ${stepTimeFrom}`}.`,
  ];
}

const seconds = (time: number) => timeInWords(time, "seconds");

/** "95th", "99.9th", "51st". */
function ordinal(percentile: number): string {
  const endings = ["th", "st", "nd", "rd"];
  const last = percentile % 10;
  const teens = percentile % 100 > 10 && percentile % 100 < 14;
  return `${percentile}${Number.isInteger(percentile) && !teens ? (endings[last] ?? "th") : "th"}`;
}
