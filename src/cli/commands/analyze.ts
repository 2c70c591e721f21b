import { Command } from "commander";
import { ArgumentError } from "../../common/errors.ts";
import { type CostOptions, costOf, costOption, costTopKOption, stepsPerRowOption } from "../cost_options.ts";
import { type DistanceOptions, distanceOf, distanceOption, nodesOption } from "../distance_options.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { readLoads, readPlacements, readTopkNotLoads } from "../files/read_files.ts";
import { parseShape, type TopkHistory } from "../files/topk_file.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { activeOf } from "../living_gpus.ts";
import { expertsOption, gpusOption, loadsArgument, placementOption, redundantOption, shapeOption } from "../options.ts";
import { columns, legend, rowOf, totalRow } from "../print/analysis_words.ts";
import { madeNow } from "../print/made.ts";
import { plainTable } from "../print/plain_table.ts";
import { withProgress } from "../print/progress.ts";
import { timeLegend, timeTable } from "../print/time_words.ts";
import { trafficLegend, trafficTables } from "../print/traffic_words.ts";
import { paragraph } from "../print/words.ts";
import { type Analysis, analyze } from "../reports/analysis.ts";
import { eplbPlacements, fewestReplicas, meanLoads, tokenSteps } from "../reports/load_history.ts";
import { loadsByLayer, moeLayersOf, moeLayersOption, topkByLayer } from "../reports/moe_layers.ts";
import { TimeTally } from "../reports/split_times.ts";
import { costedSteps } from "../reports/step_loads.ts";
import { type Placed, placedByEplb, splitSteps } from "../reports/step_split.ts";
import { expertsOf, loadsOfIds, surveyTopk } from "../reports/topk_survey.ts";
import { studyTraffic } from "../reports/traffic_study.ts";

interface AnalyzeOptions extends CostOptions, DistanceOptions {
  gpus: number;
  moeLayers?: number[];
  shape?: string;
  experts?: number;
  placement?: string;
  dead?: number[];
  redundant?: number;
  html?: string;
  json?: boolean;
}

export function analyzeCommand(): Command {
  return new Command("analyze")
    .description("show per layer how unevenly the GPUs are loaded, why, and what would help")
    .argument("<loads>", loadsArgument)
    .addOption(gpusOption())
    .addOption(moeLayersOption())
    .addOption(placementOption().conflicts("redundant"))
    .addOption(deadOption())
    .addOption(redundantOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .addOption(stepsPerRowOption())
    .addOption(nodesOption())
    .addOption(distanceOption())
    .addOption(shapeOption())
    .addOption(expertsOption())
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nWithout --placement, EPLB places the experts by the first half of the steps with tokens, with --redundant replicas." +
        "\nWith --nodes or --distance, <loads> are the ids that `replay` takes, [steps][layers][tokens][k], for loads do not say whose tokens they are.",
    )
    .action(async (loads: string, options: AnalyzeOptions) => {
      if (options.html !== undefined) requireWritable("--html", options.html);
      const { stepsPerRow = 1 } = options;
      const cost = await costOf(options, loads, options.placement);
      const distance = await distanceOf(options, options.gpus, loads, options.placement, options.cost);
      const ids = distance ? topkByLayer(await readIds(loads, options), options.moeLayers) : refuseOfIds(options);
      const recorded = ids ? countedIds(ids, options) : loadsByLayer(await readLoads(loads), options.moeLayers);
      const history = cost ? costedSteps(recorded, cost, stepsPerRow) : recorded;
      const placed = await place(history, options);
      const analysis = await withProgress("analyzing", (onProgress) =>
        analyze(history, placed, cost && new TimeTally(cost, stepsPerRow), onProgress, interrupted),
      );
      if (ids) {
        analysis.traffic = await withProgress("measuring traffic", (onProgress) =>
          studyTraffic(ids, placed, distance!, onProgress, interrupted),
        );
      }
      if (options.html !== undefined) {
        const { analysisPage } = await import("../print/analysis_page.ts"); // with the plotting library, which takes its time to load
        writeWhole("--html", options.html, analysisPage(analysis, madeNow()));
      }
      console.log(options.json ? JSON.stringify(analysis) : inWords(analysis));
    });
}

/** @throws {ArgumentError} The file has no ids, or a row is several steps. */
async function readIds(file: string, { shape, stepsPerRow = 1 }: AnalyzeOptions): Promise<TopkHistory> {
  if (stepsPerRow > 1) throw new ArgumentError("--steps-per-row", "1 for ids, whose steps are single", stepsPerRow);
  return readTopkNotLoads(file, shape === undefined ? undefined : parseShape(shape));
}

/** @throws {ArgumentError} An option of ids is given without distances. */
function refuseOfIds({ shape, experts }: AnalyzeOptions): undefined {
  for (const [name, value] of Object.entries({ shape, experts })) {
    if (value !== undefined) throw new ArgumentError(`--${name}`, "--nodes or --distance with it", value);
  }
}

function countedIds(ids: TopkHistory, { experts: asked }: AnalyzeOptions): LoadHistory {
  const experts = expertsOf(ids, asked);
  surveyTopk(ids, experts); // refuses what are no ids
  return loadsOfIds(ids, experts);
}

async function place(
  history: LoadHistory,
  { gpus, moeLayers: given, placement, dead, redundant }: AnalyzeOptions,
): Promise<Placed> {
  const active = activeOf(dead, gpus);
  const { withTokens, dropped } = tokenSteps(history);
  if (placement !== undefined) {
    const shape = { ...history, gpus, moeLayers: moeLayersOf(given, withTokens), mayLose: active !== undefined };
    const placements = await readPlacements(placement, shape);
    return { placements, placedBy: placement, active, measured: withTokens, dropped };
  }
  const split = splitSteps(withTokens);
  const replicas = redundant ?? fewestReplicas(history.experts, gpus);
  const placements = eplbPlacements(meanLoads(history, split.fitted), gpus, replicas);
  return { placements, placedBy: placedByEplb(split), active, measured: split.measured, dropped };
}

function inWords(analysis: Analysis): string {
  const { layers, time, traffic } = analysis;
  const table = plainTable([columns, ...layers.map(rowOf), totalRow(analysis)]);
  return [
    ...(time ? [table, timeTable(time)] : [table]),
    paragraph(...legend(analysis)),
    ...(time ? [paragraph(...timeLegend(time))] : []),
    ...(traffic ? [trafficTables(traffic), paragraph(...trafficLegend(traffic))] : []),
  ].join("\n\n");
}
