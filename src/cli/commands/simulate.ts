import { Command } from "commander";
import type { StepTime } from "../../serving/step_time.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { writeTrace } from "../../serving/trace/write_trace.ts";
import { requireArrivals } from "../arrivals.ts";
import { nameOf } from "../files/json_file.ts";
import { readStepTime } from "../files/read_files.ts";
import { readTraceFile } from "../files/trace_file.ts";
import { requireWritable, writeParts, writeWhole } from "../files/write_file.ts";
import { interrupted } from "../interruption.ts";
import { withOptionNames } from "../option_names.ts";
import { madeNow } from "../print/made.ts";
import { withProgress } from "../print/progress.ts";
import { simulationInWords } from "../print/simulation_words.ts";
import { defaultStepTime } from "../reports/default_step_time.ts";
import { REFERENCE, withReference } from "../reports/routes.ts";
import { combinationsOf } from "../reports/schedules.ts";
import { type Bounded, withBound } from "../reports/simulation_bound.ts";
import { firstOf, simulateAll } from "../reports/simulation_report.ts";
import type { Setting } from "../reports/simulation_setting.ts";
import {
  refuseConflicts,
  refuseEqualSeeds,
  routeOptions,
  type SimulateOptions,
  traceArgument,
  trafficOptions,
  workerOptions,
} from "../simulate_options.ts";

export function simulateCommand(): Command {
  const command = new Command("simulate")
    .description("compare policies that route a trace's requests to workers of an LLM service, and schedule them there")
    .argument("<trace>", traceArgument);
  return trafficOptions(routeOptions(workerOptions(command)))
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `\n${REFERENCE}, which sends each request to the worker with the fewest KV tokens, is always simulated: it is the one to beat.\n` +
        "All policies see the same requests; with --seeds they differ from seed to seed, and differences are paired.\n\n" +
        "Times in ms are rounds with --clock rounds, and so are those in s.",
    )
    .action(run);
}

async function run(file: string, options: SimulateOptions, command: Command): Promise<void> {
  const { route, schedule, prediction, html, vllm, json } = options;
  refuseConflicts(options, file, command);
  if (html !== undefined) requireWritable("--html", html);
  if (vllm !== undefined) requireWritable("--vllm", vllm);
  const stepTime = options.stepTime === undefined ? defaultStepTime : await readStepTime(options.stepTime);
  const recorded = await readTraceFile(file, interrupted);
  const { requests = recorded.requests } = options;
  const trace = firstOf(recorded, requests);
  requireArrivals(file, recorded, options);
  refuseEqualSeeds(options, requests > recorded.requests, command);
  const setting = settingOf(file, options, { recorded, trace, stepTime });
  const all = combinationsOf(withReference(route), schedule, prediction !== "none");
  const keep =
    vllm === undefined
      ? undefined
      : all.combinations.find((one) => one.route === route[0] && one.schedule === schedule[0])!.policy;
  const { report, drawings, kept } = await withProgress("simulating", (onProgress) =>
    withOptionNames(file, {}, () => simulateAll(trace, setting, all, keep, onProgress, interrupted)),
  );
  const bounded: Bounded =
    options.boundEvaluations === 0
      ? { report }
      : await withProgress("bounding", (onProgress) =>
          withBound(trace, report, options.boundEvaluations, onProgress, interrupted),
        );
  if (vllm !== undefined && kept) {
    await writeParts("--vllm", vllm, writeTrace(kept.trace, "vllm", kept.result), interrupted);
  }
  if (html !== undefined) {
    const { simulationPage } = await import("../print/simulation_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, simulationPage(bounded.report, drawings, bounded.prices, madeNow()));
  }
  console.log(json ? JSON.stringify(bounded.report) : simulationInWords(bounded.report));
}

function settingOf(
  file: string,
  options: SimulateOptions,
  { recorded, trace, stepTime }: { recorded: Trace; trace: Trace; stepTime: StepTime },
): Setting {
  const { workers, slots, kvTokens, clock, barrier = false, chunk, prefillWorkers, bandwidth } = options;
  const { staleness = 0, pool, rate, prediction, horizon, warmUp, reject, seed, seeds, sloTtft, sloTpot } = options;
  const { requests = recorded.requests } = options;
  const drawn = requests > recorded.requests;
  const inSeconds = clock === "seconds";
  const short = (time: number | undefined) => (time === undefined ? undefined : inSeconds ? time / 1e3 : time);
  return {
    ...{ source: nameOf(file), requests, recorded: recorded.requests, drawn },
    ...{ sessions: !drawn && trace.session !== undefined, blocks: !drawn && trace.blocks !== undefined },
    ...{ workers, slots, kvTokens, clock, barrier, pool, prediction, horizon, warmUp },
    ...(inSeconds && { stepTime, stepTimeFrom: options.stepTime === undefined ? "default" : nameOf(options.stepTime) }),
    prefill:
      prefillWorkers !== undefined
        ? { workers: prefillWorkers, bandwidth: bandwidth! }
        : chunk === undefined
          ? "whole"
          : { chunk },
    staleness: short(staleness)!,
    rate: rate === Number.POSITIVE_INFINITY ? "inf" : rate,
    slo: sloOf(sloTtft, sloTpot, inSeconds ? 1e-3 : 1),
    ...{ eviction: options.eviction, caching: options.caching },
    classes: options.classes && [...options.classes],
    tooLarge: reject ? "reject" : "error",
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
  };
}

/** Of all requests, or of each class where one of the limits is given so. */
function sloOf(ttft: readonly number[] | undefined, tpot: readonly number[] | undefined, unit: number): Setting["slo"] {
  const classes = Math.max(ttft?.length ?? 0, tpot?.length ?? 0);
  if (classes === 0) return undefined;
  const one = (limits: readonly number[] | undefined, j: number) => limits && unit * (limits[j] ?? limits[0]);
  const slos = Array.from({ length: classes }, (_, j) => ({ ttft: one(ttft, j), tpot: one(tpot, j) }));
  return classes === 1 ? slos[0] : slos;
}
