/** `npm run bench -- [--quick] [--only QUESTION] [--json FILE] [--html FILE] [--budget US]`. Every answer is checked before it is timed. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { requestDevice } from "../src/index.ts";
import { ask } from "./ask.ts";
import { holdTo, SINGLE_SOLVES } from "./budget.ts";
import { Bench } from "./harness.ts";
import { nodeHost } from "./host_node.ts";
import { metaOf } from "./meta.ts";
import { plotsPage } from "./plots.ts";
import { isQuestion, questionNames } from "./questions.ts";
import { cells } from "./report.ts";
import { resultsText } from "./results_file.ts";

const { quick, json, html, only, budget } = options();
const { device, adapter } = await requestDevice();
const bench = new Bench(device, quick, progress, nodeHost);
const started = performance.now();
for (const name of questionNames) {
  // A budget is about single solves, whatever else is asked.
  if (only === undefined || only === name || (budget !== undefined && name === SINGLE_SOLVES)) await ask[name](bench);
}
progress("");

const meta = metaOf(device, adapter);
console.log(leftAligned(cells(bench.rows)));
console.log(`\n${bench.notes.join("\n")}`);
console.log(
  `\n${Object.entries(meta)
    .map(([name, value]) => `${name} ${value}`)
    .join("; ")}`,
);
console.log(`${bench.rows.length} rows in ${((performance.now() - started) / 1e3).toFixed(0)} s`);
if (json !== undefined) writeFileSync(json, resultsText({ meta, rows: bench.rows }));
if (html !== undefined) writeFileSync(html, plotsPage(bench.rows, bench.notes, cells(bench.rows), meta));
if (budget !== undefined) process.exitCode = exitCode(budget);
device.destroy();

function options() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        html: { type: "string" },
        only: { type: "string" },
        budget: { type: "string" },
      },
    });
    if (values.only !== undefined && !isQuestion(values.only)) {
      throw new Error(`--only: expected one of ${questionNames.join(", ")}, got ${values.only}.`);
    }
    const budget = values.budget === undefined ? undefined : Number(values.budget);
    if (budget !== undefined && !(budget > 0))
      throw new Error(`--budget: expected microseconds > 0, got ${values.budget}.`);
    return { ...values, budget };
  } catch (error) {
    console.error(`evenkeel bench: ${(error as Error).message}`);
    process.exit(2);
  }
}

/** 1 if a single solve takes more GPU time than the budget on a hardware adapter. */
function exitCode(budgetUs: number): number {
  const verdict = holdTo(budgetUs, bench.rows, adapter.software);
  switch (verdict.says) {
    case "no hardware":
      console.log(`Budget of ${budgetUs} us: no hardware adapter: amortised figures only.`);
      return 0;
    case "over":
      for (const { topology, solver, timestampUs } of verdict.rows) {
        console.log(
          `Over the budget of ${budgetUs} us: ${topology}, ${solver}, ${timestampUs?.toFixed(1)} us of GPU time.`,
        );
      }
      return 1;
    case "within":
      console.log(`Every single solve is within the budget of ${budgetUs} us of GPU time.`);
      return 0;
    default:
      console.log(`Budget of ${budgetUs} us: this device has no timestamps, so GPU time cannot be told.`);
      return 0;
  }
}

/** One line on a terminal, rewritten; nothing elsewhere. */
function progress(text: string): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r\u001b[K${text.slice(0, Math.max(0, (process.stderr.columns ?? 80) - 1))}`);
}

/** The first three columns are words. */
function leftAligned(rows: readonly string[][]): string {
  const widths = [1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return plainTable(
    rows.map(([first, topology, solver, ...figures]) => [
      first,
      topology.padEnd(widths[0]),
      solver.padEnd(widths[1]),
      ...figures,
    ]),
  );
}
