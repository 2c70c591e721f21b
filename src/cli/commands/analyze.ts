import { Command } from "commander";
import { type LoadHistory, readLoads } from "../files/load_file.ts";
import { readPlacements } from "../files/placement_file.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { activeOf, deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { gpusOption, loadsArgument, placementOption, redundantOption } from "../options.ts";
import { plainTable } from "../print/plain_table.ts";
import { withProgress } from "../print/progress.ts";
import { count, paragraph, plural } from "../print/words.ts";
import { type Analysis, analyze, type LayerAnalysis, type Ranked } from "../reports/analysis.ts";
import { eplbPlacements, fewestReplicas, meanLoads, tokenSteps } from "../reports/load_history.ts";
import { loadsByLayer, moeLayersOf, moeLayersOption } from "../reports/moe_layers.ts";
import { fractionsInWords, toWithinOne } from "../reports/split_imbalance.ts";
import { droppedInWords, type Placed, placedByEplb, splitSteps } from "../reports/step_split.ts";

interface AnalyzeOptions {
  gpus: number;
  moeLayers?: number[];
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
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nWithout --placement, EPLB places the experts by the first half of the steps with tokens, with --redundant replicas.",
    )
    .action(async (loads: string, options: AnalyzeOptions) => {
      if (options.html !== undefined) requireWritable("--html", options.html);
      const history = loadsByLayer(await readLoads(loads), options.moeLayers);
      const placed = await place(history, options);
      const analysis = await withProgress("analyzing", (onProgress) =>
        analyze(history, placed, onProgress, interrupted),
      );
      if (options.html !== undefined) {
        const { analysisPage } = await import("../print/analysis_page.ts"); // with the plotting library, which takes its time to load
        writeWhole("--html", options.html, analysisPage(analysis));
      }
      console.log(options.json ? JSON.stringify(analysis) : inWords(analysis));
    });
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

export const columns = ["layer", "none", "even", "LP", "bottleneck GPUs", "hottest experts", "one more replica"];

export function rowOf({
  layer,
  batches,
  originals,
  even,
  solved,
  bottleneck,
  hottest,
  replica,
}: LayerAnalysis): string[] {
  if (batches === 0) return [`${layer}`, "-", "-", "-", "-", "-", "-"];
  return [
    `${layer}`,
    ...[originals, even, solved].map(({ mean }) => mean.toFixed(3)),
    some(bottleneck, (share) => `${Math.round(100 * share)} %`),
    some(hottest, (multiple) => `${multiple.toFixed(1)}x`),
    replica && replica.saved >= LEAST_SAVED
      ? `${replica.expert} on GPU ${replica.gpu}: -${replica.saved.toFixed(3)}`
      : "-",
  ];
}

const SHOWN = 2;
/** Less would be shown as 0.000. */
const LEAST_SAVED = 0.0005;

function some(ranked: readonly Ranked[], value: (value: number) => string): string {
  return ranked
    .slice(0, SHOWN)
    .map((one) => `${one.index} (${value(one.value)})`)
    .join(" ");
}

export function legend(analysis: Analysis): string[] {
  const { gpus, experts, redundant, placedBy, dropped, measuredSteps, layers, tokens } = analysis;
  const batches = layers.reduce((sum, layer) => sum + layer.batches, 0);
  const optimal = layers.reduce((sum, layer) => sum + layer.optimal, 0);
  return [
    `${gpus} GPUs, ${experts} experts, ${redundant} redundant; placed by ${placedBy};`,
    `${plural(measuredSteps.length, "step")} measured.`,
    ...droppedInWords(dropped),
    "Imbalance is the busiest GPU's load over the mean: none, experts in order without replicas; even, every replica of an expert",
    `serves equally many of its tokens${toWithinOne(tokens)}, as hashing does on average; LP, the best split,`,
    `proven for ${count(optimal)} of ${count(batches)} batches.`,
    "Bottleneck: GPUs that the others cannot relieve, by the share of the steps. Hottest: load over the mean expert's.",
    "One more replica: which would help the LP most, and what it takes off the imbalance.",
    ...lossInWords(analysis),
    ...fractionsInWords(tokens),
  ];
}

function lossInWords({ dead, layers }: Analysis): string[] {
  const sentences = [];
  if (dead.length > 0) sentences.push(`Dead: GPU ${dead.join(", ")}; imbalances are among the others.`);
  const losing = layers.filter(({ lost }) => lost.length > 0);
  if (losing.length > 0) {
    const lost = losing.reduce((sum, layer) => sum + layer.lost.length, 0);
    const share = losing.reduce((sum, layer) => sum + layer.unserved, 0) / losing.length;
    sentences.push(
      `Lost: ${plural(lost, "expert")} without a slot on a living GPU in ${plural(losing.length, "layer")}, which on average get`,
      `${(100 * share).toFixed(1)} % of the tokens there; none of these figures counts those tokens. plan repairs it.`,
    );
  }
  return sentences;
}

function inWords(analysis: Analysis): string {
  const { layers, all } = analysis;
  const total = ["all", ...[all.originals, all.even, all.solved].map(({ mean }) => mean.toFixed(3)), "", "", ""];
  const table = plainTable([columns, ...layers.map(rowOf), total]);
  return [table, paragraph(...legend(analysis))].join("\n\n");
}
