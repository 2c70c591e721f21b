import { Command } from "commander";
import { ArgumentError } from "../../common/errors.ts";
import { type CostOptions, costOf, costOption, costTopKOption, stepsPerRowOption } from "../cost_options.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { readLoads } from "../files/read_files.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { integer, redundantOption } from "../options.ts";
import { plainTable } from "../print/plain_table.ts";
import { withProgress } from "../print/progress.ts";
import { timeCells, timeColumns, timeHeading, timeLegend } from "../print/time_words.ts";
import { count, paragraph, range } from "../print/words.ts";
import { type BalanceReport, balanceReport, FITTED_SHARE, type LayerGroup } from "../reports/balance_report.ts";
import { generateLoads } from "../reports/generated_loads.ts";
import { fewestReplicas } from "../reports/load_history.ts";
import { fractionsInWords } from "../reports/split_imbalance.ts";
import { type TimeReport, TimeTally } from "../reports/split_times.ts";
import { costedSteps } from "../reports/step_loads.ts";
import { droppedInWords } from "../reports/step_split.ts";

interface DemoOptions extends CostOptions {
  loads?: string;
  gpus: number;
  redundant?: number;
  steps: number;
  seed: number;
  save?: string;
  json?: boolean;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("balance mixture-of-experts loads, with a proof for each batch, and time it")
    .option("--loads <file>", "JSON or .json.gz with loads [steps][layers][experts]; generated ones by default")
    .option("--gpus <n>", "GPUs that share the experts", integer(2, 1024), 8)
    .addOption(redundantOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .addOption(stepsPerRowOption())
    .option("--steps <n>", "steps to solve, each in every layer", integer(1, 10_000), 100)
    .option("--seed <n>", "seed of the generated loads", integer(0, 2 ** 32 - 1), 1)
    .option("--save <file>", "write the loads as JSON, for analyze and plan")
    .option("--json", "print JSON")
    .action(async (options: DemoOptions) => {
      if (options.save !== undefined) requireWritable("--save", options.save);
      const { stepsPerRow = 1 } = options;
      if (options.stepsPerRow !== undefined && options.loads === undefined) {
        throw new ArgumentError(
          "--steps-per-row",
          "--loads with it, as generated ones are of single steps",
          stepsPerRow,
        );
      }
      const cost = await costOf(options, options.loads);
      const recorded = options.loads === undefined ? generate(options) : await readLoads(options.loads);
      if (options.save !== undefined) writeWhole("--save", options.save, asJson(recorded));
      const history = cost ? costedSteps(recorded, cost, stepsPerRow) : recorded;
      const times = cost && new TimeTally(cost, stepsPerRow);
      const { gpus, steps, redundant = fewestReplicas(history.experts, gpus) } = options;
      const report = await withProgress("solving", (onProgress) =>
        balanceReport(history, { gpus, redundant, steps, times }, onProgress),
      );
      console.log(options.json ? JSON.stringify(report) : inWords(report));
    });
}

/** [steps][layers][E] */
function asJson({ loads, steps, layers, experts }: LoadHistory): string {
  const row = (at: number) => `[${loads.subarray(at * experts, (at + 1) * experts).join()}]`;
  const rows = (step: number) => Array.from({ length: layers }, (_, layer) => row(step * layers + layer));
  return `{"loads":[${Array.from({ length: steps }, (_, step) => `[${rows(step).join()}]`).join(",\n")}]}\n`;
}

/** A model as large as gpt-oss-20b, or with the next larger number of experts that the GPUs divide. */
function generate({ gpus, steps, seed }: DemoOptions): LoadHistory {
  const experts = gpus * Math.ceil(32 / gpus);
  return generateLoads({ steps: Math.ceil(steps / (1 - FITTED_SHARE)), layers: 24, experts }, seed);
}

function inWords(report: BalanceReport): string {
  const parts = [introduction(report), table(report), provenance(report), timing(report)];
  if (report.time) parts.splice(3, 0, timesOfExperts(report, report.time));
  return parts.join("\n\n");
}

function introduction({ gpus, experts, redundant, lps, all }: BalanceReport): string {
  const [originals, even, solved] = [all.originals, all.even, all.solved].map(({ mean }) => mean.toFixed(2));
  return paragraph(
    "In a mixture-of-experts layer all GPUs wait for the busiest one. Imbalance is the busiest GPU's load over the mean:",
    "at 1 nobody waits, at 1.5 the average GPU idles a third of the time.",
    `Here ${gpus} GPUs hold ${experts} experts and ${redundant} redundant replicas of popular ones, placed by DeepSeek's EPLB,`,
    `and for each of ${count(lps)} batches of tokens a linear program (LP) decides how many go to which replica.`,
    `Mean imbalance is ${originals} with the experts in order and no replicas, ${even} if replicas share evenly,`,
    `and ${solved} with evenkeel.`,
    `"Proven optimal" counts the answers that come with a proof that no split of the tokens does better.`,
  );
}

function table({ groups, all }: BalanceReport): string {
  const row = (layers: string, { originals, even, solved, optimal, lps, largestGap }: LayerGroup) => [
    layers,
    ...[originals, even, solved].map(({ mean }) => (lps === 0 ? "-" : mean.toFixed(2))),
    `${count(optimal)} of ${count(lps)}`,
    largestGap === 0 ? "0" : largestGap.toExponential(1),
  ];
  return plainTable([
    ["layers", "originals only", "even split", "evenkeel", "proven optimal", "largest gap"],
    ...groups.map((group) => row(range(group.firstLayer, group.lastLayer), group)),
    row("all", all),
  ]);
}

/** What the cost adds: the GPUs' time, not this package's. */
function timesOfExperts({ groups }: BalanceReport, time: TimeReport): string {
  const rows = groups.map(({ firstLayer, lastLayer, time: own }) => [
    range(firstLayer, lastLayer),
    ...timeCells(own!, time),
  ]);
  const table = plainTable([["layers", ...timeColumns], ...rows, ["all", ...timeCells(time.all, time)]]);
  return [`${paragraph(`${timeHeading(time)}, mean over the steps:`)}\n${table}`, paragraph(...timeLegend(time))].join(
    "\n\n",
  );
}

function provenance({ source, tokens, dropped, fittedTo, measuredOn }: BalanceReport): string {
  const measured = fittedTo === measuredOn ? "there, too" : `in ${measuredOn}`;
  return paragraph(
    `Loads: ${source}. Experts are placed by the mean loads of ${fittedTo}; imbalance is measured ${measured}.`,
    ...droppedInWords(dropped),
    ...fractionsInWords(tokens),
  );
}

function timing({ lps, measuredSteps, dropped, runs, cpu, webgpu, withoutWebgpu }: BalanceReport): string {
  const heading = paragraph(
    `Time per LP from call to answer, ${dropped.batches > 0 ? "up to " : ""}${count(measuredSteps.length)} LPs a call, median of ${runs} runs over all ${count(lps)}:`,
  );
  const us = (time: number) => `${time.toLocaleString("en", { maximumSignificantDigits: 3 })} us`;
  const rows = [["CPU, exact solver", us(cpu.medianUs)]];
  if (!webgpu) return [heading, plainTable(rows), paragraph(`Without WebGPU: ${withoutWebgpu}`)].join("\n");
  rows.unshift([`WebGPU, ${webgpu.adapter.name}`, us(webgpu.medianUs)]);
  const notes = ["Both gave the same maximum load for every LP."];
  if (webgpu.finishedOnCpu > 0) notes.push(`The CPU closed the gap of ${count(webgpu.finishedOnCpu)} LPs.`);
  if (webgpu.adapter.software) notes.push("The adapter is a software one: its time says nothing about a GPU's.");
  return [heading, plainTable(rows), paragraph(...notes)].join("\n");
}
