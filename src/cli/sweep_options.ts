import { type Command, InvalidArgumentError, Option } from "commander";
import type { SweptRouting, SweptScheduling } from "../serving/sweep/sweep_grid.ts";
import { requireOneStandardInput } from "./files/one_standard_input.ts";
import { integer, integersOf, numberAbove } from "./options.ts";
import type { Shard } from "./reports/sweep_setting.ts";
import {
  chunkOption,
  classesOption,
  clockOption,
  evictionOption,
  kvTokensOption,
  namesOf,
  option,
  predictionOption,
  rejectOption,
  type SimulateOptions,
  seedOption,
  seedsOption,
  slotsOption,
  stepTimeOption,
} from "./simulate_options.ts";

/** Requests per s, or round, or so many times the trace's own rate. */
export type AskedRate = { rate: number } | { times: number };

/** What the options of `sweep` are called once they are parsed. */
export interface SweepCommandOptions
  extends Pick<
    SimulateOptions,
    "slots" | "kvTokens" | "clock" | "stepTime" | "chunk" | "eviction" | "prediction" | "requests" | "classes"
  > {
  workers: readonly number[];
  route: readonly SweptRoute[];
  schedule: readonly SweptScheduling[];
  rates?: readonly AskedRate[];
  arrivals: "replay" | "poisson";
  seeds: number;
  seed: number;
  /** ms, or rounds. */
  sloTtft?: number;
  sloTpot?: number;
  attainment?: number;
  breakingRates?: boolean;
  reject?: boolean;
  backend: "auto" | "webgpu" | "cpu";
  shard?: Shard;
  out?: string;
  json?: boolean;
  html?: string;
}

/** Routing policies by the names that the command line has for them. */
export const sweptRoutes = {
  "round-robin": "roundRobin",
  "least-kv": "leastKv",
  bfio: "bfio",
} as const satisfies Record<string, SweptRouting>;
export type SweptRoute = keyof typeof sweptRoutes;
const routeNames = Object.keys(sweptRoutes) as SweptRoute[];
const scheduleNames = ["fcfs", "sjf", "priority", "svf"] as const satisfies SweptScheduling[];

const MAX_WORKERS = 1024;
const above0 = numberAbove("above 0");

export function sweepOptions(command: Command): Command {
  return command
    .addOption(option("--workers <list>", "numbers of workers, as in 1-16 or 2,4,8", workersOf).makeOptionMandatory())
    .addOption(slotsOption().makeOptionMandatory())
    .addOption(kvTokensOption())
    .addOption(
      option(
        "--route <names>",
        `policies to compare, of ${routeNames.join(", ")} (a request at a time, without looking ahead)`,
        namesOf(routeNames),
      ).default(["least-kv"], "least-kv"),
    )
    .addOption(
      option(
        "--schedule <names>",
        `who begins within a worker, each with each route, of ${scheduleNames.join(", ")}`,
        namesOf(scheduleNames),
      ).default(["fcfs"], "fcfs"),
    )
    .addOption(
      option(
        "--rates <list>",
        "requests per s, or round, as in 1,2,4, or times the trace's own rate, as in 0.5x,1x,2x",
        ratesOf,
      ),
    )
    .addOption(
      new Option("--arrivals <kind>", "at other rates: the trace's, stretched, or drawn anew for each rate and seed")
        .choices(["replay", "poisson"])
        .default("replay"),
    )
    .addOption(option("--requests <n>", "the first of the trace, so many", integer(1, 2 ** 31 - 1)))
    .addOption(classesOption())
    .addOption(seedsOption())
    .addOption(seedOption())
    .addOption(clockOption())
    .addOption(stepTimeOption())
    .addOption(chunkOption())
    .addOption(evictionOption())
    .addOption(predictionOption())
    .addOption(rejectOption())
    .addOption(option("--slo-ttft <time>", "ms, or rounds, to the first token", above0))
    .addOption(option("--slo-tpot <time>", "ms, or rounds, per token after it", above0))
    .addOption(option("--attainment <share>", "of the requests that must meet the SLO (default: 0.99)", shareOf))
    .option("--breaking-rates", "with an SLO: also search, to 1 %, the rate at which each configuration breaks it")
    .addOption(
      new Option("--backend <name>", "who simulates; auto: a GPU where there is one and the CPU takes long")
        .choices(["auto", "webgpu", "cpu"])
        .default("auto"),
    )
    .addOption(
      option("--shard <i/n>", "only a part, i from 0 to n - 1: every n-th scenario; for evenkeel merge", shardOf),
    )
    .option("--out <file>", "write what --json prints, as a whole or not at all")
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON");
}

function workersOf(text: string): number[] {
  const workers = integersOf(text, 1, MAX_WORKERS);
  if (workers) return workers;
  throw new InvalidArgumentError(`Expected integers from 1 to ${MAX_WORKERS}, as in 1-16 or 2,4,8.`);
}

function ratesOf(text: string): AskedRate[] {
  return text.split(",").map((part) => {
    const [, times] = /^(.+)x$/.exec(part.trim()) ?? [];
    return times === undefined ? { rate: above0(part) } : { times: above0(times) };
  });
}

function shareOf(text: string): number {
  const share = above0(text);
  if (share <= 1) return share;
  throw new InvalidArgumentError("Expected a number above 0 and up to 1.");
}

function shardOf(text: string): Shard {
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text.trim()) ?? []).map(Number);
  if (index < count) return { index, count };
  throw new InvalidArgumentError("Expected i/n with i from 0 to n - 1, as in 0/8.");
}

/** What makes no sense together. */
export function refuseConflicts(options: SweepCommandOptions, trace: string, command: Command): void {
  const { schedule, prediction, clock, stepTime, seeds, rates, arrivals, classes, shard, json, out, html } = options;
  const refuse = (why: string) => command.error(`error: ${why}`);
  const hasSlo = options.sloTtft !== undefined || options.sloTpot !== undefined;
  if (prediction !== "none" && !schedule.includes("svf"))
    refuse("--prediction needs svf in --schedule: the others do not look at it");
  if (prediction === "none" && schedule.includes("svf"))
    refuse("--schedule svf needs --prediction: it goes by predicted outputs");
  if (classes !== undefined && !schedule.includes("priority"))
    refuse("--classes needs priority in --schedule: the others do not look at them");
  if (stepTime !== undefined && clock === "rounds") refuse("--step-time needs --clock seconds");
  if (arrivals === "poisson" && rates === undefined) refuse("--arrivals poisson needs --rates");
  const drawsOutputs = typeof prediction === "object" && "factor" in prediction;
  if (seeds > 1 && arrivals === "replay" && !drawsOutputs)
    refuse("--seeds needs --arrivals poisson, or --prediction factor: else nothing is drawn, and all seeds are alike");
  if (options.attainment !== undefined && !hasSlo) refuse("--attainment needs --slo-ttft or --slo-tpot");
  if (options.breakingRates && !hasSlo) refuse("--breaking-rates needs --slo-ttft or --slo-tpot");
  if (shard && !json && out === undefined)
    refuse("--shard needs --json or --out: evenkeel merge reads what they write");
  if (shard && html !== undefined) refuse("--html needs the whole sweep: evenkeel merge --html makes it of its shards");
  requireOneStandardInput({ "the trace": trace, "--step-time": stepTime });
}
