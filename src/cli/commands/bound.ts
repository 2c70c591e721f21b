import { Command } from "commander";
import { ArgumentError } from "../../common/errors.ts";
import { certifyBound } from "../../serving/bound/certify_bound.ts";
import type { StepPrices } from "../../serving/bound/shared_steps.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { requireArrivals } from "../arrivals.ts";
import { type BoundCommandOptions, boundOptions } from "../bound_options.ts";
import { nameOf } from "../files/json_file.ts";
import { requireOneStandardInput } from "../files/one_standard_input.ts";
import { pricesFile, readPrices } from "../files/prices_file.ts";
import { readStepTime } from "../files/read_files.ts";
import { readTraceFile } from "../files/trace_file.ts";
import { requireWritable, writeParts, writeWhole } from "../files/write_file.ts";
import { interrupted } from "../interruption.ts";
import { boundReportInWords, certifiedInWords } from "../print/bound_report_words.ts";
import { madeNow } from "../print/made.ts";
import { withProgress } from "../print/progress.ts";
import { type BoundSetting, boundReport } from "../reports/bound_report.ts";
import { type BoundedRequests, boundedRequests } from "../reports/bounded_requests.ts";
import { defaultStepTime } from "../reports/default_step_time.ts";
import { proven } from "../reports/mean_bound.ts";
import { firstOf, traceOf } from "../reports/simulation_report.ts";
import { traceArgument } from "../simulate_options.ts";

export function boundCommand(): Command {
  const command = new Command("bound")
    .description("prove how low the mean latency of a trace's requests can be at the least, whoever schedules them")
    .argument("<trace>", traceArgument);
  return boundOptions(command)
    .addHelpText(
      "after",
      "\nLatency is from a request's arrival to its last token. What is proven is a bound: no schedule is below it, and one need not reach it.\n\n" +
        "Exit code with --certify: 0 if the prices prove what the file says, 1 if they do not.",
    )
    .action(run);
}

async function run(file: string, options: BoundCommandOptions, command: Command): Promise<void> {
  refuseConflicts(file, options, command);
  const { prices: to, html, json } = options;
  if (html !== undefined) requireWritable("--html", html);
  if (to !== undefined) requireWritable("--prices", to);
  const recorded = await readTraceFile(file, interrupted);
  requireArrivals(file, recorded, options);
  const setting = await settingOf(file, options, recorded);
  const trace = arrivingOf(recorded, setting);
  const bounded = boundedOf(file, trace, setting);
  if (options.certify !== undefined) return certify(options.certify, bounded, setting, json);
  const { evaluations, backend } = options;
  const { report, found, prices } = await withProgress("bounding", (onProgress) =>
    boundReport(trace, bounded, setting, { evaluations, backend, signal: interrupted }, onProgress),
  );
  if (to !== undefined) {
    const { source, requests, clock, workers, slots, kvTokens } = report;
    const about = { source, requests, clock, workers, slots, kvTokens, preemption: options.preemption };
    await writeParts("--prices", to, pricesFile(found, about), interrupted);
  }
  if (html !== undefined) {
    const { boundPage } = await import("../print/bound_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, boundPage(report, prices, madeNow()));
  }
  console.log(json ? JSON.stringify(report) : boundReportInWords(report));
}

function refuseConflicts(file: string, options: BoundCommandOptions, command: Command): void {
  const { stepTime, clock, certify } = options;
  if (stepTime !== undefined && clock === "rounds") command.error("error: --step-time needs --clock seconds");
  requireOneStandardInput({ "the trace": file, "--step-time": stepTime, "--certify": certify });
}

async function settingOf(file: string, options: BoundCommandOptions, recorded: Trace): Promise<BoundSetting> {
  const { workers, slots, kvTokens, clock, rate, seed, preemption, requests = recorded.requests } = options;
  const { stepTime: from } = options;
  const drawn = requests > recorded.requests;
  return {
    ...{ source: nameOf(file), requests, recorded: recorded.requests, drawn },
    ...{ sessions: !drawn && recorded.session !== undefined, blocks: !drawn && recorded.blocks !== undefined },
    ...{ workers, slots, kvTokens, clock, barrier: false, prefill: "whole", staleness: 0, prediction: "exact" },
    ...(clock === "seconds" && {
      stepTime: from === undefined ? defaultStepTime : await readStepTime(from),
      stepTimeFrom: from === undefined ? "default" : nameOf(from),
    }),
    rate: rate === Number.POSITIVE_INFINITY ? "inf" : rate,
    ...{
      eviction: preemption === "resume" ? "recompute" : "restart",
      caching: "lru",
      warmUp: 0,
      tooLarge: "error",
      seeds: [seed],
    },
  };
}

const slotsOf = ({ slots, requests }: BoundSetting) => slots ?? Math.max(1, requests);

function arrivingOf(recorded: Trace, setting: BoundSetting): Trace {
  const { requests, seeds } = setting;
  return traceOf(firstOf(recorded, requests), { ...setting, slots: slotsOf(setting) }, seeds[0]);
}

function boundedOf(file: string, trace: Trace, setting: BoundSetting): BoundedRequests {
  const { kvTokens } = setting;
  for (let i = 0; i < trace.requests; i++) {
    const peak = trace.input[i] + trace.output[i];
    if (peak <= kvTokens) continue;
    throw new ArgumentError("--kv-tokens", `at least the ${peak} that request ${i} holds at its end`, kvTokens);
  }
  const bounded = boundedRequests(trace, { ...setting, slots: slotsOf(setting) });
  if (typeof bounded !== "string") return bounded;
  throw new ArgumentError(nameOf(file), "requests that have a bound", "none", `${bounded}.`);
}

/** Computes anew what prices prove, without a search. */
async function certify(file: string, bounded: BoundedRequests, setting: BoundSetting, json = false): Promise<void> {
  const { mean: claimed, prices, steps } = await readPrices(file);
  const { total, valid } = certifyBound(bounded.trace, bounded.options, prices);
  const { mean } = valid && arePrices(steps) ? await proven(bounded, total, steps, interrupted) : { mean: 0 };
  const certificate = { valid: valid && claimed <= mean, claimed, proven: mean };
  if (!certificate.valid) process.exitCode = 1;
  console.log(json ? JSON.stringify(certificate) : certifiedInWords(certificate, setting));
}

function arePrices(steps: StepPrices | undefined): boolean {
  return !steps || [steps.step, steps.kv, steps.slot].every((prices) => prices.every((one) => one >= 0));
}
