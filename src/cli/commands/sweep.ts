import { Command } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { ArgumentError } from "../../common/errors.ts";
import type { StepTime } from "../../serving/step_time.ts";
import type { SweepGrid } from "../../serving/sweep/sweep_grid.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { meanRate, requireArrivals } from "../arrivals.ts";
import { nameOf } from "../files/json_file.ts";
import { readStepTime } from "../files/read_files.ts";
import { wholeSweepOf } from "../files/sweep_file.ts";
import { readTraceFile } from "../files/trace_file.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { interrupted } from "../interruption.ts";
import { withOptionNames } from "../option_names.ts";
import { madeNow } from "../print/made.ts";
import { withProgress } from "../print/progress.ts";
import { ranInWords, shardInWords, sweepInWords } from "../print/sweep_words.ts";
import { defaultStepTime } from "../reports/default_step_time.ts";
import { requestsHash } from "../reports/requests_hash.ts";
import { firstOf, withClasses } from "../reports/simulation_report.ts";
import { runPart } from "../reports/sweep_part.ts";
import { sweepReport } from "../reports/sweep_report.ts";
import type { SweepSetting } from "../reports/sweep_setting.ts";
import { traceArgument } from "../simulate_options.ts";
import { refuseConflicts, type SweepCommandOptions, sweepOptions, sweptRoutes } from "../sweep_options.ts";

export function sweepCommand(): Command {
  const command = new Command("sweep")
    .description("what if: serve a trace's requests once for every combination of policies, workers, rates and seeds")
    .argument("<trace>", traceArgument);
  return sweepOptions(command)
    .addHelpText(
      "after",
      "\nA scenario is a simulation of simulate's, of workers that step by themselves and have no prefix caches, in whole microseconds.\n" +
        "A GPU and the CPU print the same, and so do the shards of several machines once evenkeel merge has put them together.\n\n" +
        "Times in ms are rounds with --clock rounds, and so are those in s.",
    )
    .action(run);
}

const optionNames: Readonly<Record<string, string>> = {
  workers: "--workers",
  "worker.kvTokens": "--kv-tokens",
  "worker.stepTime": "--step-time",
  rates: "--rates",
  prediction: "--prediction",
};

async function run(file: string, options: SweepCommandOptions, command: Command): Promise<void> {
  refuseConflicts(options, file, command);
  const { html, out, json, backend, shard } = options;
  if (html !== undefined) requireWritable("--html", html);
  if (out !== undefined) requireWritable("--out", out);
  const stepTime = options.stepTime === undefined ? defaultStepTime : await readStepTime(options.stepTime);
  const recorded = await readTraceFile(file, interrupted);
  const trace = requestsOf(file, recorded, options);
  const setting = settingOf(file, options, recorded.requests, trace, stepTime);
  const { part, ran } = await withProgress("simulating", (onProgress) =>
    withOptionNames(file, optionNames, () =>
      runPart(trace, setting, shard, { backend, signal: interrupted }, onProgress),
    ),
  );
  const print = (report: object, words: () => string) => {
    const text = JSON.stringify(report);
    if (out !== undefined) writeWhole("--out", out, `${text}\n`);
    console.log(json ? text : `${words()}\n${ranInWords(ran)}`);
  };
  if (shard) return print(part, () => shardInWords(part, shard, out!));
  const report = sweepReport(wholeSweepOf(part));
  if (html !== undefined) {
    const { sweepPage } = await import("../print/sweep_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, sweepPage(report, madeNow()));
  }
  print(report, () => `${sweepInWords(report)}\n`);
}

/** Those that are simulated, with their classes. */
function requestsOf(file: string, recorded: Trace, { arrivals, requests, classes }: SweepCommandOptions): Trace {
  if (requests !== undefined && requests > recorded.requests)
    throw new ArgumentError("--requests", `at most the ${recorded.requests} of ${nameOf(file)}`, requests);
  const trace = withClasses(firstOf(recorded, requests ?? recorded.requests), classes);
  if (arrivals === "replay") requireArrivals(file, trace, {}, DRAW);
  return trace;
}

const DRAW = "--arrivals poisson with --rates in requests per s draws them.";

function settingOf(
  file: string,
  options: SweepCommandOptions,
  recorded: number,
  trace: Trace,
  stepTime: StepTime,
): SweepSetting {
  const { classes, sloTtft, sloTpot, attainment = 0.99, breakingRates = false } = options;
  const hasSlo = sloTtft !== undefined || sloTpot !== undefined;
  return {
    ...{ version: packageJson.version, source: nameOf(file), requests: trace.requests, recorded },
    sha256: requestsHash(trace),
    classes: classes && [...classes],
    ...(options.clock === "seconds" && {
      stepTimeFrom: options.stepTime === undefined ? "default" : nameOf(options.stepTime),
    }),
    grid: gridOf(file, options, trace, stepTime),
    ...(hasSlo && { attainment }),
    breakingRates,
  };
}

function gridOf(file: string, options: SweepCommandOptions, trace: Trace, stepTime: StepTime): SweepGrid {
  const { clock, slots, kvTokens, workers, route, schedule, arrivals, seeds, seed, chunk, eviction } = options;
  const { prediction, reject, sloTtft, sloTpot } = options;
  const inSeconds = clock === "seconds";
  const limit = (time: number | undefined) => (time === undefined || !inSeconds ? time : time / 1e3);
  const rates = options.rates?.map((one) =>
    "rate" in one ? one.rate : one.times * meanRate(file, trace, "--rates in requests per s have no need of that."),
  );
  return {
    ...{ clock, worker: inSeconds ? { slots, kvTokens, stepTime } : { slots, kvTokens }, workers },
    ...{ routing: route.map((name) => sweptRoutes[name]), scheduling: schedule, rates, arrivals },
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
    prefill: chunk === undefined ? "whole" : { chunk },
    ...{ eviction, prediction, tooLarge: reject ? "reject" : "error" },
    ...((sloTtft ?? sloTpot) !== undefined && { slo: { ttft: limit(sloTtft), tpot: limit(sloTpot) } }),
  };
}
