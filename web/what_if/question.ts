import { threeFigures } from "../../src/cli/print/simulation_units.ts";
import { count, plural } from "../../src/cli/print/words.ts";
import { defaultStepTime } from "../../src/cli/reports/default_step_time.ts";
import { firstOf } from "../../src/cli/reports/simulation_report.ts";
import { stepTimeFields } from "../../src/serving/step_time.ts";
import type { StepTime, SweepGrid, Trace } from "../../src/serving.ts";
import { builtInTrace } from "./built_in_trace.ts";
import { integersOf, ratesOf } from "./number_lists.ts";
import { policiesOf, routings, schedulings } from "./policies.ts";
import { type Field, fieldNames, type Settings } from "./settings.ts";

/** What is simulated. */
export interface Question {
  trace: Trace;
  grid: SweepGrid;
  /** Requests per s that the trace has; undefined where all come at once. */
  ownRate: number | undefined;
  /** Share of the requests that meet the SLO where it holds. */
  attainment: number;
  /** Whether breaking rates are asked for, and there is a rate to stretch. */
  breaking: boolean;
  backend: "auto" | "webgpu" | "cpu";
  configurations: number;
  scenarios: number;
}

/** Why nothing can be simulated, and what would change that. */
export interface Problem {
  field: Field;
  sentence: string;
  remedies?: readonly { name: string; change: Partial<Settings> }[];
}

/**
 * What the settings ask, or what is wrong with them.
 *
 * @param opened  the trace of a file; without one it is the built-in one.
 */
export function questionOf(settings: Settings, opened: Trace | undefined): Question | readonly Problem[] {
  const read = new Reader(settings);
  const trace = opened ? firstRequests(read, settings, opened) : generated(read);
  const ownRate = ownRateOf(trace);
  const isDrawn = settings.arrivals === "poisson";
  const { scheduling, prediction } = {
    scheduling: read.names("schedule", schedulings),
    prediction: predictionOf(settings),
  };
  const seeds = isDrawn || (scheduling.includes("svf") && typeof prediction === "object" && "factor" in prediction);
  const grid: SweepGrid = {
    clock: "seconds",
    worker: workerOf(read, settings),
    workers: read.integers("workers", 1, 1024),
    ...{ routing: read.names("route", routings), scheduling },
    rates: ratesFor(read, settings, ownRate, isDrawn),
    arrivals: isDrawn ? "poisson" : "replay",
    seeds: Array.from({ length: seeds ? read.integer("seeds", 1, 1000) : 1 }, (_, k) => 1 + k),
    ...(settings.chunk.trim() !== "" && { prefill: { chunk: read.integer("chunk", 1, 2 ** 31 - 1) } }),
    eviction: settings.eviction === "restart" ? "restart" : "recompute",
    ...(scheduling.includes("svf") && { prediction }),
    tooLarge: settings.tooLarge === "reject" ? "reject" : "error",
    slo: { ttft: read.above0("ttft") / 1e3, tpot: read.above0("tpot") / 1e3 },
  };
  const attainment = read.above0("attainment", 100) / 100;
  checkMemory(read, trace, grid);
  if (read.problems.length > 0) return read.problems;
  const configurations =
    grid.workers.length * grid.routing!.length * grid.scheduling!.length * (grid.rates?.length ?? 1);
  return {
    ...{ trace, grid, ownRate, attainment, configurations, scenarios: configurations * grid.seeds!.length },
    breaking: settings.breaking === "yes" && (ownRate !== undefined || isDrawn),
    backend: settings.backend === "cpu" || settings.backend === "webgpu" ? settings.backend : "auto",
  };
}

function firstRequests(read: Reader, { requests }: Settings, opened: Trace): Trace {
  return requests.trim() === "" ? opened : firstOf(opened, read.integer("requests", 1, opened.requests));
}

const generated = (read: Reader): Trace =>
  builtInTrace(read.integer("generated", 1, 100_000), read.above0("rate", 1e6), read.integer("seed", 0, 2 ** 31 - 1));

/** By the gaps between the first request and the last. */
export function ownRateOf({ requests, arrival }: Trace): number | undefined {
  const span = arrival[requests - 1] - arrival[0];
  return span > 0 ? (requests - 1) / span : undefined;
}

/** Fields that are no such thing become problems, and the reading goes on to find all of them. */
class Reader {
  readonly problems: Problem[] = [];

  constructor(private readonly settings: Settings) {}

  integer(field: Field, least: number, most: number): number {
    const value = Number(this.settings[field]);
    if (this.settings[field].trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    this.refuse(field, `a whole number from ${count(least)} to ${count(most)}`);
    return least;
  }

  above0(field: Field, most = Number.POSITIVE_INFINITY): number {
    const value = Number(this.settings[field]);
    if (value > 0 && value <= most && Number.isFinite(value)) return value;
    this.refuse(field, `a number above 0${Number.isFinite(most) ? ` and up to ${most}` : ""}`);
    return 1;
  }

  integers(field: Field, least: number, most: number): number[] {
    const numbers = integersOf(this.settings[field], least, most);
    if (numbers === undefined) this.refuse(field, `whole numbers from ${least} to ${count(most)}, as in 1-8 or 2,4,8`);
    return numbers ?? [least];
  }

  names<Name>(field: Field, policies: Parameters<typeof policiesOf<Name>>[0]): Name[] {
    const names = policiesOf(policies, this.settings[field]);
    if (names === undefined) this.refuse(field, `one at least of ${policies.map(({ word }) => word).join(", ")}`);
    return names ?? [policies[0].name];
  }

  refuse(field: Field, expected: string): void {
    const found = this.settings[field].trim();
    this.add(
      field,
      `${fieldNames[field]}: expected ${expected}, got ${found === "" ? "nothing" : found.slice(0, 40)}.`,
    );
  }

  add(field: Field, sentence: string, remedies: Problem["remedies"] = []): void {
    this.problems.push({ field, sentence, remedies });
  }
}

function workerOf(read: Reader, settings: Settings) {
  return {
    slots: read.integer("slots", 1, 2 ** 20),
    kvTokens: read.integer("kvTokens", 1, 2 ** 31 - 1),
    stepTime: stepTimeFor(read, settings.stepTime),
  };
}

function stepTimeFor(read: Reader, text: string): StepTime {
  if (text === "") return defaultStepTime;
  const names = Object.keys(stepTimeFields) as (keyof StepTime)[];
  const values = text.split(",").map(Number);
  const good = values.length === names.length && values.every((value) => value >= 0 && Number.isFinite(value));
  if (!good || values[0] + values[1] + values[2] <= 0) {
    read.refuse("stepTime", `${names.join(",")} in seconds, one of the first three above 0`);
    return defaultStepTime;
  }
  return Object.fromEntries(names.map((name, i) => [name, values[i]])) as unknown as StepTime;
}

/** As the field `stepTime` has them. */
export const stepTimeText = (stepTime: StepTime): string =>
  (Object.keys(stepTimeFields) as (keyof StepTime)[]).map((name) => stepTime[name]).join(",");

function ratesFor(
  read: Reader,
  { rates: text }: Settings,
  own: number | undefined,
  isDrawn: boolean,
): number[] | undefined {
  const asked = text.trim() === "" ? "1x" : text;
  const rates = ratesOf(asked);
  if (rates === undefined) {
    read.refuse("rates", "requests per s, or multiples of the trace's own rate, as in 10,20 or 0.5x,1x,2x");
    return undefined;
  }
  if (own === undefined && !(isDrawn && rates.every(({ isMultiple }) => !isMultiple))) {
    const sentence = `Rates: all of the trace's requests come at once, so that there is no rate to take ${asked} of, nor gaps to stretch. Let arrivals be drawn, at rates in requests per s.`;
    const change = { arrivals: "poisson", rates: "1,2,4,8" };
    read.add("rates", sentence, [{ name: "Draw arrivals at 1, 2, 4 and 8 requests/s", change }]);
    return undefined;
  }
  if (text.trim() === "" && !isDrawn) return undefined; // as the trace has them
  const values = rates.map(({ value, isMultiple }) => (isMultiple ? value * own! : value));
  if (values.some((value) => value < 1e-6 || value > 1e9)) read.refuse("rates", "rates from 1e-6 to 1e9 per s");
  return [...new Set(values)];
}

function predictionOf({ prediction }: Settings): NonNullable<SweepGrid["prediction"]> {
  const [, model, value] = /^(factor|bins):([\d.]+)$/.exec(prediction) ?? [];
  if (model === "factor" && Number(value) >= 1) return { factor: Number(value) };
  if (model === "bins" && Number.isInteger(Number(value)) && Number(value) >= 1) return { bins: Number(value) };
  return "exact";
}

function checkMemory(read: Reader, { requests, input, output }: Trace, { worker, tooLarge }: SweepGrid): void {
  let [larger, largest] = [0, 0];
  for (let i = 0; i < requests; i++) {
    const peak = input[i] + output[i];
    if (peak > worker.kvTokens) larger++;
    largest = Math.max(largest, peak);
  }
  const memory = `${count(worker.kvTokens)} KV tokens`;
  const most = `${plural(larger, "request")} of ${count(requests)} ${larger === 1 ? "needs" : "need"} more memory than a worker has, ${memory}: the largest needs ${count(largest)}.`;
  const more = { name: `Give workers ${count(largest)} KV tokens`, change: { kvTokens: String(largest) } };
  if (larger === requests) read.add("kvTokens", most, [more]);
  else if (larger > 0 && tooLarge === "error") {
    read.add("kvTokens", most, [{ name: "Reject and count them", change: { tooLarge: "reject" } }, more]);
  }
}

/** "20 requests/s", and how it stands to the trace's own. */
export function rateInWords(rate: number | undefined, own: number | undefined): string {
  if (rate === undefined)
    return own === undefined ? "all at once" : `${threeFigures(own)} requests/s, as the trace has them`;
  const times = own === undefined || rate === own ? "" : `, ${threeFigures(rate / own)} x the trace's own`;
  return `${threeFigures(rate)} requests/s${rate === own ? ", the trace's own rate" : times}`;
}
