import { Command } from "commander";
import { nameOf, readJson } from "../files/json_file.ts";
import { requireOneStandardInput } from "../files/one_standard_input.ts";
import { sweepPartOf } from "../files/sweep_file.ts";
import { requireWritable, writeWhole } from "../files/write_file.ts";
import { interrupted, pause } from "../interruption.ts";
import { madeNow } from "../print/made.ts";
import { sweepInWords } from "../print/sweep_words.ts";
import { mergedSweep, type NamedPart } from "../reports/merged_sweep.ts";
import { sweepReport } from "../reports/sweep_report.ts";

interface MergeOptions {
  out?: string;
  html?: string;
  json?: boolean;
}

export function mergeCommand(): Command {
  return new Command("merge")
    .description("put the shards of a sweep together, and print what one machine would have printed of all of it")
    .argument("<files...>", "what sweep --shard has written, all shards in any order; - for standard input")
    .option("--out <file>", "write what --json prints, as a whole or not at all")
    .option("--html <file>", "write a report with plots, one file without scripts")
    .option("--json", "print JSON: that of the whole sweep, byte for byte")
    .action(run);
}

async function run(files: readonly string[], { out, html, json }: MergeOptions): Promise<void> {
  requireOneStandardInput(Object.fromEntries(files.map((file, k) => [`files[${k}]`, file])));
  if (html !== undefined) requireWritable("--html", html);
  if (out !== undefined) requireWritable("--out", out);
  const parts: NamedPart[] = [];
  for (const file of files) {
    const name = nameOf(file);
    parts.push({ name, part: sweepPartOf(name, await readJson(file)) });
    await pause(interrupted);
  }
  const report = sweepReport(mergedSweep(parts));
  const text = JSON.stringify(report);
  if (out !== undefined) writeWhole("--out", out, `${text}\n`);
  if (html !== undefined) {
    const { sweepPage } = await import("../print/sweep_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, sweepPage(report, madeNow()));
  }
  console.log(json ? text : sweepInWords(report));
}
