import { Command } from "commander";
import { meanRate } from "../arrivals.ts";
import { nameOf } from "../files/json_file.ts";
import { requireOneStandardInput } from "../files/one_standard_input.ts";
import { readStepTime } from "../files/read_files.ts";
import { readTraceFile } from "../files/trace_file.ts";
import { interrupted } from "../interruption.ts";
import { withOptionNames } from "../option_names.ts";
import { integer, numberAbove } from "../options.ts";
import { capacityInWords } from "../print/capacity_words.ts";
import { withProgress } from "../print/progress.ts";
import { type CapacityQuestion, capacityReport } from "../reports/capacity_report.ts";
import { defaultStepTime } from "../reports/default_step_time.ts";
import { chunkOption, kvTokensOption, option, stepTimeOption } from "../simulate_options.ts";

interface CapacityCommandOptions {
  kvTokens: number;
  slots?: number;
  chunk?: number;
  stepTime?: string;
  rate?: number;
  /** ms. */
  sloTtft?: number;
  sloTpot?: number;
  percentile: number;
  bandwidth?: number;
  simulate?: boolean;
  json?: boolean;
}

export function capacityCommand(): Command {
  return new Command("capacity")
    .description("how many workers serve a trace's requests within an SLO, why so many, and what one more buys")
    .argument("<trace>", "requests in any format that simulate reads; - for standard input")
    .addOption(kvTokensOption())
    .addOption(
      option("--slots <n>", "requests that run at once on a worker; by default what fits", integer(1, 2 ** 20)),
    )
    .addOption(chunkOption())
    .addOption(stepTimeOption())
    .addOption(option("--rate <r>", "requests per s; by default the trace's, on average", numberAbove("above 0")))
    .addOption(option("--slo-ttft <time>", "ms to the first token", numberAbove("above 0")))
    .addOption(option("--slo-tpot <time>", "ms per token after it", numberAbove("above 0")))
    .option("--percentile <p>", "of TTFT, and of TPOT, that is within the SLO", numberAbove("above 0"), 95)
    .addOption(
      option("--bandwidth <rate>", "prefill apart, too: KV tokens per s from there to decode", numberAbove("above 0")),
    )
    .option("--simulate", "confirm it: the fleet with a worker fewer and more, and prefill apart, on the trace itself")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nThe fleet routes each request to the worker with the fewest KV tokens, which serves first come first served.\n" +
        "Arrivals are taken to be Poisson; --simulate replays the trace's own, unless --rate is given.",
    )
    .action(run);
}

async function run(file: string, options: CapacityCommandOptions): Promise<void> {
  requireOneStandardInput({ "the trace": file, "--step-time": options.stepTime });
  const stepTime = options.stepTime === undefined ? defaultStepTime : await readStepTime(options.stepTime);
  const trace = await readTraceFile(file, interrupted);
  const { kvTokens, slots, chunk, sloTtft, sloTpot, percentile, bandwidth } = options;
  const limit = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1e3);
  const slo =
    sloTtft === undefined && sloTpot === undefined ? undefined : { ttft: limit(sloTtft), tpot: limit(sloTpot) };
  const question: CapacityQuestion = {
    ...{
      source: nameOf(file),
      requests: trace.requests,
      rate: options.rate ?? meanRate(file, trace, "--rate R says how many come."),
    },
    arrivals: options.rate === undefined ? "recorded" : "poisson",
    ...{ meanInput: meanOf(trace.input), meanOutput: meanOf(trace.output) },
    options: { kvTokens, slots, chunk, stepTime, slo },
    stepTimeFrom: options.stepTime === undefined ? "default" : nameOf(options.stepTime),
    ...{ percentile, bandwidth },
  };
  const report = await withProgress("simulating", (onProgress) =>
    withOptionNames(file, optionNames, () =>
      capacityReport(trace, question, options.simulate === true, onProgress, interrupted),
    ),
  );
  console.log(options.json ? JSON.stringify(report) : capacityInWords(report));
}

const meanOf = (values: Int32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** What the library calls its arguments, by the options that they come from. */
const optionNames: Readonly<Record<string, string>> = {
  kvTokens: "--kv-tokens",
  rate: "--rate",
  percentile: "--percentile",
  "slo.ttft": "--slo-ttft",
  "slo.tpot": "--slo-tpot",
};
