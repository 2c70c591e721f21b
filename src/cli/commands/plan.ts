import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import type { Placement } from "../../placement/placement.ts";
import { topologies } from "../../placement/topologies.ts";
import { spreads } from "../../planner/arrangement.ts";
import { objectives } from "../../planner/objective.ts";
import { type CostOptions, costOf, costOption, costTopKOption, stepsPerRowOption } from "../cost_options.ts";
import { type FileFormat, fileFormats, placementFile, refusesKeys } from "../files/placement_output.ts";
import { readLoads, readPlacements } from "../files/read_files.ts";
import { requireSidecarWritable, writeSidecar } from "../files/sidecar.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { activeOf } from "../living_gpus.ts";
import { gpusOption, integer, loadsArgument, MAX_GPUS, placementOption, redundantOption } from "../options.ts";
import { curveInWords } from "../print/curve_words.ts";
import { madeNow } from "../print/made.ts";
import { planInWords } from "../print/plan_legend.ts";
import { withProgress } from "../print/progress.ts";
import { fewestReplicas, requireSlots, tokenSteps } from "../reports/load_history.ts";
import { loadsByLayer, moeLayersOf, moeLayersOption } from "../reports/moe_layers.ts";
import { roomOf } from "../reports/plan_bounds.ts";
import type { PlanOptions } from "../reports/plan_placements.ts";
import { plan } from "../reports/plan_report.ts";
import { curvePoint } from "../reports/redundancy_curve.ts";
import { costedSteps } from "../reports/step_loads.ts";

type Options = Pick<PlanOptions, "gpus" | "nodes" | "replicas" | "objective" | "seed" | "maxMoved"> &
  CostOptions & {
    dead?: number[];
    /** Ascending. */
    redundant?: number[];
    /** Seconds. */
    budget: number;
    moeLayers?: number[];
    placement?: string;
    sharedTopology?: "best" | keyof typeof graphs;
    out?: string;
    html?: string;
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
    .addOption(redundantOption().argParser(redundants))
    .option("--nodes <n>", "nodes of equally many GPUs", integer(1, MAX_GPUS), 1)
    .addOption(
      new Option(
        "--replicas <where>",
        "where an expert's replicas may lie: by default within a node where there are several",
      ).choices(spreads),
    )
    .option("--out <file>", "write the placement; what is there is replaced as a whole")
    .addOption(new Option("--format <system>", "whose file to write").choices(fileFormats).default("sglang"))
    .addOption(
      new Option("--objective <name>", "what to minimise of the imbalances").choices(objectives).default("mean"),
    )
    .addOption(costOption().conflicts("sharedTopology"))
    .addOption(costTopKOption())
    .addOption(stepsPerRowOption())
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
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nThe placement is fitted to the first half of the steps with tokens and measured on the second, beside EPLB's.\n\n" +
        "Several numbers of replicas, as in --redundant 0,32,64, are compared: what each is worth, and what no placement could beat.\n\n" +
        "With --dead, experts without a living copy get a slot each, and no other slot changes unless --max-moved allows more. With a\n" +
        "--placement that says it was made for fewer GPUs, the others come empty, and their slots are filled. Moves are printed.",
    )
    .action(run);
}

/** Ascending numbers of replicas, each once. */
function redundants(text: string): number[] {
  const parse = integer(0, 2 ** 20);
  return [...new Set(text.split(",").map(parse))].sort((a, b) => a - b);
}

async function run(file: string, options: Options, command: Command): Promise<void> {
  const { out, html, format, json, placement, gpus, dead = [], redundant: asked, stepsPerRow = 1 } = options;
  refuseConflicts(options, command);
  if (html !== undefined) requireWritable("--html", html);
  if (out !== undefined) {
    requireWritable("--out", out);
    if (refusesKeys.includes(format)) requireSidecarWritable("--out", out);
  }
  const cost = await costOf(options, file, placement);
  const recorded = loadsByLayer(await readLoads(file), options.moeLayers);
  const history = cost ? costedSteps(recorded, cost, stepsPerRow) : recorded;
  const moeLayers = moeLayersOf(options.moeLayers, tokenSteps(history).withTokens);
  const shape = { ...history, gpus, moeLayers, mayGrow: true, mayLose: activeOf(dead, gpus) !== undefined };
  const inForce = placement === undefined ? undefined : await readPlacements(placement, shape);
  const counts = asked ?? [defaultRedundant(history.experts, options, inForce)];
  if (asked !== undefined || inForce === undefined) {
    for (const redundant of counts) requireSlots(history.experts, gpus, redundant);
  }
  const wanted = {
    ...{ gpus, dead, inForce, moeLayers, nodes: options.nodes, replicas: options.replicas, maxMoved: options.maxMoved },
    ...{ objective: options.objective, seed: options.seed, sharedTopology: graphOf(options), cost: cost?.cost },
    budgetMs: (1e3 * options.budget) / counts.length,
    threads: availableParallelism(),
    withHistory: counts.length === 1,
    tryOut: (placements: Placement[]) => out !== undefined && placementFile(placements, moeLayers, format),
  };
  for (const redundant of counts) roomOf(history.experts, { ...wanted, redundant });
  const plans: Awaited<ReturnType<typeof plan>>[] = [];
  await withProgress("planning", async (onProgress) => {
    for (const [i, redundant] of counts.entries()) {
      const onShare = (share: number) => onProgress((i + share) / counts.length);
      plans.push(await plan(history, { ...wanted, redundant }, onShare, interrupted));
    }
  });
  const reports = plans.map(({ report }) => report);
  const [{ placements }] = plans;
  const curve = reports.map(curvePoint);
  if (out !== undefined) {
    const content = placementFile(placements, moeLayers, format);
    writeWhole("--out", out, content);
    if (refusesKeys.includes(format)) writeSidecar("--out", out, content, gpus);
  }
  if (html !== undefined) {
    const { planPage } = await import("../print/plan_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, planPage(reports[reports.length - 1], curve, madeNow(), cost));
  }
  const written = { out, format, moeLayers, cost };
  if (json) console.log(JSON.stringify(reports.length === 1 ? reports[0] : { curve, plans: reports }));
  else console.log(reports.length === 1 ? planInWords(reports[0], written) : curveInWords(curve, reports, cost));
}

function refuseConflicts(options: Options, command: Command): void {
  const { maxMoved, dead, placement, format, out, redundant = [], sharedTopology: graph } = options;
  for (const [name, value] of Object.entries({ "max-moved": maxMoved, dead })) {
    if (value !== undefined && placement === undefined) command.error(`error: --${name} needs --placement`);
  }
  if (format === "lplb" && (graph === undefined || graph === "best")) {
    command.error(`error: --format lplb needs --shared-topology ${Object.keys(graphs).join(" or ")}`);
  }
  for (const [name, value] of Object.entries({ out, placement })) {
    if (value !== undefined && redundant.length > 1) command.error(`error: --${name} needs one number of --redundant`);
  }
}

function graphOf({ sharedTopology: graph, gpus }: Options) {
  return graph === undefined || graph === "best" ? graph === "best" : graphs[graph](gpus);
}

/** As many as the placement in force has, new GPUs having as many slots as the others. */
function defaultRedundant(
  experts: number,
  { gpus, nodes, replicas }: Options,
  inForce: Placement[] | undefined,
): number {
  const withinNodes = replicas === undefined || replicas === "within-node";
  if (!inForce) return fewestReplicas(experts, gpus, withinNodes ? nodes : 1);
  const [{ gpus: placed, physicalExperts }] = inForce;
  return (physicalExperts / placed) * gpus - experts;
}
