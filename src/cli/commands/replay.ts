import { Command, Option } from "commander";
import { backends, type SolverOptions } from "../../lp/solver_options.ts";
import { type CostOptions, costOf, costOption, costTopKOption } from "../cost_options.ts";
import { type DistanceOptions, distanceOf, distanceOption, nodesOption } from "../distance_options.ts";
import { readPlacements, readRawTopk, readTopk } from "../files/read_files.ts";
import { parseShape, type TopkHistory } from "../files/topk_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { activeOf } from "../living_gpus.ts";
import { expertsOption, gpusOption, integer, placementOption, redundantOption, shapeOption } from "../options.ts";
import { plainTable } from "../print/plain_table.ts";
import { withProgress } from "../print/progress.ts";
import { timeLegend, timeSummaryTable } from "../print/time_words.ts";
import { trafficLegend, trafficTables } from "../print/traffic_words.ts";
import { count, paragraph, plural } from "../print/words.ts";
import { eplbPlacements, fewestReplicas } from "../reports/load_history.ts";
import { layersWithIds, moeLayersOption, topkByLayer } from "../reports/moe_layers.ts";
import { type ReplayReport, replay } from "../reports/replay_report.ts";
import { droppedInWords, type Placed, placedByEplb, splitSteps } from "../reports/step_split.ts";
import { countIds, expertsOf, surveyTopk } from "../reports/topk_survey.ts";
import { studyTraffic } from "../reports/traffic_study.ts";

interface ReplayOptions extends Omit<CostOptions, "stepsPerRow">, DistanceOptions {
  gpus: number;
  moeLayers?: number[];
  shape?: string;
  experts?: number;
  placement?: string;
  dead?: number[];
  redundant?: number;
  every: number;
  backend: SolverOptions["backend"];
  json?: boolean;
}

export function replayCommand(): Command {
  return new Command("replay")
    .description("run the balancer over recorded top-k expert ids, step by step")
    .argument(
      "<topk-ids>",
      "JSON or .json.gz with ids [steps][layers][tokens][k], SGLang's records of each token, or raw bytes with --shape; - for standard input",
    )
    .addOption(gpusOption())
    .addOption(moeLayersOption())
    .addOption(shapeOption())
    .addOption(expertsOption())
    .addOption(placementOption().conflicts("redundant"))
    .addOption(deadOption())
    .addOption(redundantOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .addOption(nodesOption())
    .addOption(distanceOption())
    .option("--every <n>", "replay every n-th step", integer(1, 2 ** 31 - 1), 1)
    .addOption(new Option("--backend <name>", "who balances").choices(backends).default("auto"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nWithout --placement, EPLB places the experts by the first half of the steps with tokens, with --redundant replicas.",
    )
    .action(async (file: string, options: ReplayOptions) => {
      const cost = await costOf(options, file, options.placement);
      const distance = await distanceOf(options, options.gpus, file, options.placement, options.cost);
      const read = options.shape === undefined ? readTopk(file) : readRawTopk(file, parseShape(options.shape));
      const history = topkByLayer(await read, options.moeLayers);
      const placed = await place(history, options);
      const report = await withProgress("replaying", (onProgress) =>
        replay(history, placed, { backend: options.backend, cost }, onProgress, interrupted),
      );
      const traffic =
        distance &&
        (await withProgress("measuring traffic", (onProgress) =>
          studyTraffic(history, placed, distance, onProgress, interrupted),
        ));
      const whole = { ...report, ...(traffic && { traffic }) };
      console.log(options.json ? JSON.stringify(whole) : inWords(whole));
    });
}

async function place(
  history: TopkHistory,
  { gpus, moeLayers: given, experts: asked, placement, dead, redundant, every }: ReplayOptions,
): Promise<Placed> {
  const active = activeOf(dead, gpus);
  const { layers } = history;
  const everyNth = (steps: readonly number[][]) => steps.map((own) => own.filter((_, i) => i % every === 0));
  if (placement !== undefined) {
    const moeLayers = given ?? layersWithIds(history);
    const placements = await readPlacements(placement, {
      ...{ gpus, layers, moeLayers, experts: asked ?? history.experts, mayLose: active !== undefined },
    });
    const { withTokens, dropped } = surveyTopk(history, placements[0].logicalExperts);
    return { placements, placedBy: placement, active, measured: everyNth(withTokens), dropped };
  }
  const size = expertsOf(history, asked);
  const { withTokens, dropped } = surveyTopk(history, size);
  const split = splitSteps(withTokens);
  const weight = countIds(history, split.fitted, size);
  const placements = eplbPlacements(weight, gpus, redundant ?? fewestReplicas(size, gpus));
  return { placements, placedBy: placedByEplb(split), active, measured: everyNth(split.measured), dropped };
}

function inWords(report: ReplayReport): string {
  const { originals, even, solved, status, ms, layers, replayedSteps, outOfRange, backend, adapter, reason } = report;
  const { time, traffic } = report;
  const table = plainTable([
    ["imbalance", "mean", "95th percentile"],
    ...Object.entries({ "no replicas": originals, "even split": even, balanced: solved }).map(
      ([name, { mean, p95 }]) => [name, mean.toFixed(3), p95.toFixed(3)],
    ),
  ]);
  const verdicts = Object.entries(status).map(([name, times]) => `${count(times)} ${name}`);
  const sentences = [
    `${report.gpus} GPUs, ${report.experts} experts, ${report.redundant} redundant; placed by ${report.placedBy}.`,
    `${plural(report.assignments, "assignment")} in ${plural(replayedSteps.length, "step")} x ${plural(layers, "layer")}, each sent to a slot of its`,
    `expert; of the layers' splits ${verdicts.join(", ")}.`,
    `Median time of a step: ${ms.median.toPrecision(2)} ms for all layers, on ${adapter ?? `the ${backend.toUpperCase()}`}: ${reason}`,
  ];
  sentences.push(...droppedInWords(report.dropped));
  if (report.dead.length > 0) sentences.push(`Dead: GPU ${report.dead.join(", ")}; imbalances are among the others.`);
  if (report.unserved > 0) sentences.push(`${plural(report.unserved, "id")} of lost experts went nowhere.`);
  if (outOfRange > 0) sentences.push(`${plural(outOfRange, "id")} beyond the experts went nowhere.`);
  const words = paragraph(...sentences);
  return [
    ...[table, ...(time ? [timeSummaryTable(time)] : []), words, ...(time ? [paragraph(...timeLegend(time))] : [])],
    ...(traffic ? [trafficTables(traffic), paragraph(...trafficLegend(traffic))] : []),
  ].join("\n\n");
}
