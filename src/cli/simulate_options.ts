import { type Command, InvalidArgumentError, Option } from "commander";
import { caching } from "../serving/caching/caching.ts";
import type { Prediction } from "../serving/simulator/prediction.ts";
import { requireOneStandardInput } from "./files/one_standard_input.ts";
import { integer, numberAbove } from "./options.ts";
import { defaultRoutes, REFERENCE, type Route, routeNames } from "./reports/routes.ts";
import { defaultSchedules, goesByPredictions, type Schedule, STRONG, scheduleNames } from "./reports/schedules.ts";
import type { CachingName } from "./reports/simulation_setting.ts";

/** What the options of `simulate` are called once they are parsed. */
export interface SimulateOptions {
  workers: number;
  slots: number;
  kvTokens: number;
  route: readonly Route[];
  schedule: readonly Schedule[];
  eviction: "restart" | "recompute";
  caching: CachingName;
  horizon?: number;
  clock: "seconds" | "rounds";
  stepTime?: string;
  barrier?: boolean;
  chunk?: number;
  prefillWorkers?: number;
  bandwidth?: number;
  /** ms, or rounds. */
  staleness?: number;
  pool?: number;
  prediction: Prediction;
  /** Infinity: all at once. */
  rate?: number;
  requests?: number;
  /** Tokens of the longest prompt of each class but the last. */
  classes?: readonly number[];
  seeds: number;
  seed: number;
  warmUp: number;
  /** ms, or rounds; one for all requests, or one of each class. */
  sloTtft?: readonly number[];
  sloTpot?: readonly number[];
  reject?: boolean;
  boundEvaluations?: number;
  json?: boolean;
  html?: string;
  vllm?: string;
}

export const traceArgument =
  "requests as Azure, Mooncake, BurstGPT, Vidur, vLLM's benchmark or AIPerf record them, or lengths alone; - for standard input";

const MAX_WORKERS = 1024;
const above0 = numberAbove("above 0");
const from0 = numberAbove("from 0 on");

/** How many workers of which size, what they do and for how long. */
export function workerOptions(command: Command): Command {
  return command
    .addOption(workersOption().makeOptionMandatory())
    .addOption(slotsOption().makeOptionMandatory())
    .addOption(kvTokensOption())
    .addOption(clockOption())
    .addOption(stepTimeOption())
    .option("--barrier", "all workers step together and wait for the longest step")
    .addOption(chunkOption())
    .addOption(
      option(
        "--prefill-workers <n>",
        "prompts are prefilled by as many workers of their own",
        integer(1, MAX_WORKERS),
      ).conflicts("chunk"),
    )
    .addOption(option("--bandwidth <rate>", "with --prefill-workers: KV tokens per s, or round, to decode", above0));
}

export function workersOption(): Option {
  return option("--workers <n>", "workers that serve", integer(1, MAX_WORKERS));
}

export function slotsOption(): Option {
  return option("--slots <n>", "requests that run at once on a worker", integer(1, 2 ** 20));
}

export function kvTokensOption(): Option {
  return option("--kv-tokens <n>", "a worker's KV memory in tokens", integer(1, 2 ** 40)).makeOptionMandatory();
}

export function clockOption(): Option {
  return new Option("--clock <unit>", "a step lasts what its work takes, or is a round of its own")
    .choices(["seconds", "rounds"])
    .default("seconds");
}

export function stepTimeOption(): Option {
  return new Option(
    "--step-time <file>",
    "how long a step lasts, JSON as fitStepTime has it; by default that of Qwen3-30B-A3B on an RTX PRO 6000",
  );
}

export function chunkOption(): Option {
  const help = "most prompt tokens that a step prefills; by default whole prompts";
  return option("--chunk <n>", help, integer(1, 2 ** 31 - 1));
}

export function evictionOption(): Option {
  return new Option(
    "--eviction <kind>",
    "what an evicted request begins again with: its prompt alone, or its tokens, too",
  )
    .choices(["restart", "recompute"])
    .default("restart");
}

export function predictionOption(): Option {
  const help = "what is seen of a request's output: none, exact, factor:F, interval:L,U or bins:W";
  return option("--prediction <model>", help, predictionOf).default("none");
}

export function classesOption(): Option {
  return option(
    "--classes <tokens>",
    "classes by the length of prompts: 500,4000 makes one up to 500 tokens, one up to 4000 and one of the longer",
    bounds,
  );
}

export function seedsOption(): Option {
  const help = "runs with a seed each, in which all policies see the same requests";
  return option("--seeds <n>", help, integer(1, 1000)).default(1);
}

export function seedOption(): Option {
  return option("--seed <n>", "the first seed", integer(0, 2 ** 32 - 1)).default(1);
}

export function rejectOption(): Option {
  return new Option("--reject", "count requests that are larger than a worker's memory, instead of an error");
}

export function requestsOption(): Option {
  return option(
    "--requests <n>",
    "the first of the trace, so many; with --rate more than it has, drawn from it by their lengths",
    integer(1, 2 ** 31 - 1),
  );
}

export function rateOption(): Option {
  return option("--rate <r>", "requests per s, or round: arrivals are drawn anew (Poisson); inf: all at once", rateOf);
}

/** Which policies, and what they see. */
export function routeOptions(command: Command): Command {
  return command
    .addOption(
      option(
        "--route <names>",
        `policies to compare, of ${routeNames.join(", ")}; ${REFERENCE} is always shown`,
        namesOf(routeNames),
      ).default(defaultRoutes, defaultRoutes.join()),
    )
    .addOption(
      option(
        "--schedule <names>",
        `who begins within a worker, each with each route, of ${scheduleNames.join(", ")}; ${STRONG} is shown beside others than fcfs where outputs are predicted`,
        namesOf(scheduleNames),
      ).default(defaultSchedules, defaultSchedules.join()),
    )
    .addOption(evictionOption())
    .addOption(
      new Option("--caching <policy>", "what workers' prefix caches keep, where the trace has prefix blocks")
        .choices(Object.keys(caching))
        .default("lru"),
    )
    .addOption(option("--horizon <n>", "steps that bfio looks ahead; by default its own", integer(0, 10_000)))
    .addOption(
      option("--staleness <time>", "ms, or rounds, between two readings of the workers' signals by the router", from0),
    )
    .addOption(predictionOption());
}

/** Which requests, and what is made of them. */
export function trafficOptions(command: Command): Command {
  return command
    .addOption(requestsOption())
    .addOption(classesOption())
    .addOption(rateOption())
    .addOption(
      option(
        "--pool <n>",
        "closed: so many requests wait at the router, refilled as some begin",
        integer(1, 2 ** 31 - 1),
      ).conflicts(["rate", "staleness"]),
    )
    .addOption(seedsOption())
    .addOption(seedOption())
    .option("--warm-up <time>", "s, or rounds, from the beginning that no figure counts", from0, 0)
    .addOption(
      option("--slo-ttft <times>", "ms, or rounds, to the first token, for goodput; or one for each class", limits),
    )
    .addOption(
      option("--slo-tpot <times>", "ms, or rounds, per token after it, for goodput; or one for each class", limits),
    )
    .addOption(rejectOption())
    .addOption(
      option(
        "--bound-evaluations <n>",
        "how long to look for what mean E2E no policy beats; 0: not at all; by default some seconds at the most",
        integer(0, 1_000_000),
      ),
    )
    .addOption(
      new Option("--vllm <file>", "write the one policy's run as vLLM's benchmark does, for its plot scripts"),
    );
}

export function option<T>(flags: string, help: string, parse: (text: string) => T): Option {
  return new Option(flags, help).argParser(parse);
}

/** Names, each once. */
export function namesOf<Name extends string>(known: readonly Name[]): (text: string) => Name[] {
  return (text) => {
    const names = text.split(",").map((name) => name.trim());
    if (names.every((name): name is Name => (known as readonly string[]).includes(name))) return [...new Set(names)];
    throw new InvalidArgumentError(`Expected names of ${known.join(", ")}.`);
  };
}

function bounds(text: string): number[] {
  const values = text.split(",").map(integer(1, 2 ** 31 - 1));
  if (values.every((value, k) => k === 0 || value > values[k - 1])) return values;
  throw new InvalidArgumentError("Expected tokens that ascend.");
}

const limits = (text: string): number[] => text.split(",").map(from0);

function rateOf(text: string): number {
  return text.trim() === "inf" ? Number.POSITIVE_INFINITY : above0(text);
}

function predictionOf(text: string): Prediction {
  const [, model, values] = /^(\w+)(?::([\d.,]+))?$/.exec(text.trim()) ?? [];
  const numbers = (values ?? "").split(",").map(Number);
  if (values === undefined && (model === "none" || model === "exact")) return model;
  if (values !== undefined && numbers.every(Number.isFinite)) {
    if (model === "factor" && numbers.length === 1 && numbers[0] >= 1) return { factor: numbers[0] };
    const [first, last = first] = numbers;
    const whole = numbers.every((value) => Number.isInteger(value) && value >= 1);
    if (model === "interval" && numbers.length === 2 && whole && first <= last) return { interval: [first, last] };
    if (model === "bins" && numbers.length === 1 && whole) return { bins: first };
  }
  throw new InvalidArgumentError("Expected none, exact, factor:1.5, interval:1,500 or bins:50.");
}

/** What makes no sense together, where a list of conflicts cannot tell. */
export function refuseConflicts(options: SimulateOptions, trace: string, command: Command): void {
  const { route, schedule, horizon, prediction, clock, stepTime, prefillWorkers, bandwidth, vllm, seeds } = options;
  const { sloTtft, sloTpot } = options;
  const predicts = schedule.filter(goesByPredictions);
  const refuse = (why: string) => command.error(`error: ${why}`);
  const ofClasses = [sloTtft, sloTpot].filter((some) => some !== undefined && some.length > 1);
  if (ofClasses.some((some) => some!.length !== (options.classes?.length ?? 0) + 1))
    refuse("limits of each class need --classes, and one for each: one more than it has bounds");
  if (horizon !== undefined && !route.includes("bfio")) refuse("--horizon needs bfio in --route");
  if (prediction !== "none" && !route.includes("bfio") && predicts.length === 0)
    refuse("--prediction needs bfio in --route, or a schedule that goes by it: the others do not look at it");
  if (prediction === "none" && predicts.length > 0)
    refuse(`--schedule ${predicts.join()} needs --prediction: it goes by predicted outputs`);
  if (stepTime !== undefined && clock === "rounds") refuse("--step-time needs --clock seconds");
  if (bandwidth !== undefined && prefillWorkers === undefined) refuse("--bandwidth needs --prefill-workers");
  if (prefillWorkers !== undefined && bandwidth === undefined) refuse("--prefill-workers needs --bandwidth");
  if (vllm !== undefined && (route.length !== 1 || schedule.length !== 1 || seeds > 1))
    refuse("--vllm needs one policy in --route, one in --schedule and one seed");
  if (vllm !== undefined && clock === "rounds") refuse("--vllm needs --clock seconds");
  requireOneStandardInput({ "the trace": trace, "--step-time": stepTime });
}

/** Seeds that are all alike would pass for certainty.  @param drawn  whether requests are drawn from the trace. */
export function refuseEqualSeeds(options: SimulateOptions, drawn: boolean, command: Command): void {
  const { seeds, rate, route, prediction } = options;
  const drawsArrivals = rate !== undefined && Number.isFinite(rate);
  const drawsOutputs = typeof prediction === "object" && "factor" in prediction;
  if (seeds === 1 || drawn || drawsArrivals || drawsOutputs || route.includes("power-of-two")) return;
  const remedy = "--rate, or power-of-two, or --prediction factor";
  command.error(`error: --seeds needs ${remedy}: else nothing is drawn, and all seeds are alike`);
}
