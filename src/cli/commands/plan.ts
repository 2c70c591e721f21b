import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import type { Placement } from "../../placement/placement.ts";
import { topologies } from "../../placement/topologies.ts";
import type { Move } from "../../planner/moves.ts";
import { objectives } from "../../planner/objective.ts";
import { readLoads } from "../files/load_file.ts";
import { readPlacements } from "../files/placement_file.ts";
import { type FileFormat, fileFormats, placementFile, refusesKeys } from "../files/placement_output.ts";
import { requireSidecarWritable, sidecarOf, writeSidecar } from "../files/sidecar.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { activeOf, deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { gpusOption, integer, loadsArgument, MAX_GPUS, placementOption, redundantOption } from "../options.ts";
import { plainTable } from "../print/plain_table.ts";
import { planTable, whatIsMeasured } from "../print/plan_words.ts";
import { withProgress } from "../print/progress.ts";
import { paragraph, ranges } from "../print/words.ts";
import { fewestReplicas, requireSlots, tokenSteps } from "../reports/load_history.ts";
import { loadsByLayer, moeLayersOf, moeLayersOption } from "../reports/moe_layers.ts";
import type { PlanOptions } from "../reports/plan_placements.ts";
import { type PlanReport, plan } from "../reports/plan_report.ts";

type Options = Pick<PlanOptions, "gpus" | "nodes" | "objective" | "seed" | "maxMoved"> & {
  dead?: number[];
  redundant?: number;
  /** Seconds. */
  budget: number;
  moeLayers?: number[];
  placement?: string;
  sharedTopology?: "best" | keyof typeof graphs;
  out?: string;
  format: FileFormat;
  json?: boolean;
};

/** LPLB's replica graphs that the number of GPUs settles. */
const graphs = {
  ring: topologies.ring,
  cube8: topologies.cube8,
  hypercube16: topologies.hypercube16,
};

export function planCommand(): Command {
  return new Command("plan")
    .description("choose which experts to replicate and where, so that the LP can balance best")
    .argument("<loads>", loadsArgument)
    .addOption(gpusOption())
    .addOption(moeLayersOption())
    .addOption(redundantOption())
    .option("--nodes <n>", "keep all replicas of an expert within one of so many nodes", integer(1, MAX_GPUS), 1)
    .option("--out <file>", "write the placement; what is there is replaced as a whole")
    .addOption(new Option("--format <system>", "whose file to write").choices(fileFormats).default("sglang"))
    .addOption(
      new Option("--objective <name>", "what to minimise of the imbalances").choices(objectives).default("mean"),
    )
    .option("--budget <seconds>", "the longest the search may take", integer(0, 86_400), 60)
    .option("--seed <n>", "seed of the search", integer(0, 2 ** 32 - 1), 1)
    .addOption(placementOption())
    .option(
      "--max-moved <n>",
      "with --placement: the most slots of a layer that may get another expert",
      integer(0, 2 ** 24),
    )
    .addOption(deadOption().conflicts("sharedTopology"))
    .addOption(
      new Option(
        "--shared-topology [graph]",
        "one replica graph for all layers, up to which expert is which: the best found, or LPLB's",
      )
        .choices(["best", ...Object.keys(graphs)])
        .preset("best")
        .conflicts("placement"),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nThe placement is fitted to the first half of the steps with tokens and measured on the second, beside EPLB's.\n\n" +
        "With --dead, experts without a living copy get a slot each, and no other slot changes unless --max-moved allows more. With a\n" +
        "--placement that says it was made for fewer GPUs, the others come empty, and their slots are filled. Moves are printed.",
    )
    .action(run);
}

async function run(
  file: string,
  { out, format, json, placement, ...options }: Options,
  command: Command,
): Promise<void> {
  const { gpus, maxMoved, budget, sharedTopology: graph, moeLayers: given, redundant: asked, ...rest } = options;
  const { dead = [], ...more } = rest;
  for (const [name, value] of Object.entries({ "max-moved": maxMoved, dead: options.dead })) {
    if (value !== undefined && placement === undefined) command.error(`error: --${name} needs --placement`);
  }
  if (format === "lplb" && (graph === undefined || graph === "best")) {
    command.error(`error: --format lplb needs --shared-topology ${Object.keys(graphs).join(" or ")}`);
  }
  if (out !== undefined) {
    requireWritable("--out", out);
    if (refusesKeys.includes(format)) requireSidecarWritable("--out", out);
  }
  const history = loadsByLayer(await readLoads(file), given);
  const moeLayers = moeLayersOf(given, tokenSteps(history).withTokens);
  const shape = { ...history, gpus, moeLayers, mayGrow: true, mayLose: activeOf(dead, gpus) !== undefined };
  const inForce = placement === undefined ? undefined : await readPlacements(placement, shape);
  const redundant = asked ?? defaultRedundant(history.experts, options, inForce);
  if (asked !== undefined || inForce === undefined) requireSlots(history.experts, gpus, redundant);
  const sharedTopology = graph === undefined || graph === "best" ? graph === "best" : graphs[graph](gpus);
  const tryOut = (placements: Placement[]) => out !== undefined && placementFile(placements, moeLayers, format);
  const wanted = {
    ...more,
    gpus,
    redundant,
    dead,
    maxMoved,
    sharedTopology,
    inForce,
    budgetMs: 1e3 * budget,
    threads: availableParallelism(),
    tryOut,
    moeLayers,
  };
  const { report, placements } = await withProgress("planning", (onProgress) =>
    plan(history, wanted, onProgress, interrupted),
  );
  if (out !== undefined) {
    const content = placementFile(placements, moeLayers, format);
    writeWhole("--out", out, content);
    if (refusesKeys.includes(format)) writeSidecar("--out", out, content, gpus);
  }
  console.log(json ? JSON.stringify(report) : inWords(report, out, format, moeLayers));
}

/** As many as the placement in force has, new GPUs having as many slots as the others. */
function defaultRedundant(
  experts: number,
  { gpus, nodes }: Pick<Options, "gpus" | "nodes">,
  inForce: Placement[] | undefined,
): number {
  if (!inForce) return fewestReplicas(experts, gpus, nodes);
  const [{ gpus: placed, physicalExperts }] = inForce;
  return (physicalExperts / placed) * gpus - experts;
}

function inWords(
  report: PlanReport,
  out: string | undefined,
  format: FileFormat,
  moeLayers: readonly number[],
): string {
  const table = plainTable(planTable(report));
  const moves = report.dead.length > 0 || report.newGpus > 0 ? [movesTable(report.moves!)] : [];
  return [table, ...moves, paragraph(...legend(report, out, format, moeLayers))].join("\n\n");
}

/** What to load, and from where: the work of who brings the system back. */
function movesTable(moves: readonly Move[]): string {
  if (moves.length === 0) return "No slot changes.";
  const rows = moves.map(({ layer, slot, gpu, expert, source }) => {
    return [layer, slot, gpu, expert, source ?? "none: reload from disk"].map(String);
  });
  return plainTable([["layer", "slot", "on GPU", "gets expert", "from GPU"], ...rows]);
}

function legend(
  report: PlanReport,
  out: string | undefined,
  format: FileFormat,
  moeLayers: readonly number[],
): string[] {
  const { objective, inForce, eplb, optimized, search, seconds, dead } = report;
  const { sharedTopology: shared, stoppedBy } = search;
  const sentences = whatIsMeasured(report);
  if (inForce) sentences.push("Moved: slots whose GPU must load another expert than in force.");
  if (dead.length > 0) {
    sentences.push(
      "Slots of dead GPUs are as they were, and no token may be sent there; imbalances are among the living.",
    );
  }
  if (dead.length > 0 && moeLayers.length < report.layers) {
    const others = [...Array(report.layers).keys()].filter((layer) => !moeLayers.includes(layer));
    sentences.push(`Layers ${ranges(others)} are left as they were, having no tokens: --moe-layers says otherwise.`);
  }
  if (shared) {
    const [one, own] = [shared.shared, shared.free].map((imbalance) => imbalance.toFixed(3));
    sentences.push(
      `One replica graph for all layers: ${one} on the fitted steps, where a graph each would give ${own}.`,
    );
  }
  if (optimized.all.even[objective] > eplb.all.even[objective]) {
    sentences.push(
      "The plan is made for tokens that an LP splits: where replicas share evenly, EPLB's placement is the better one.",
    );
  }
  const more =
    stoppedBy === "budget" ? "; the budget cut it short in some layers: a larger --budget may find better" : "";
  sentences.push(`The search took ${seconds.toFixed(0)} s${more}.`);
  sentences.push(out === undefined ? "Nothing is written without --out." : `Written to ${out} for ${format}.`);
  if (out !== undefined && format !== "sglang" && (format === "trtllm" || moeLayers.length < report.layers)) {
    sentences.push(`It has the layers ${ranges(moeLayers)}, the others being dense: --moe-layers says otherwise.`);
  }
  const sidecar = out !== undefined && refusesKeys.includes(format) ? sidecarOf(out) : undefined;
  if (sidecar !== undefined) sentences.push(`${sidecar} has its number of GPUs, for --placement.`);
  return sentences;
}
