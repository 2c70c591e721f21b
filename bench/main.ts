/** `npm run bench -- [--quick] [--only QUESTION] [--json FILE] [--html FILE] [--budget US]`. Every answer is checked before it is timed. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { requestDevice } from "../src/index.ts";
import { balancerStages } from "./balancer_stages.ts";
import { coldStart } from "./cold_start.ts";
import { cudaQuestion } from "./cuda.ts";
import { depthOfSolves } from "./depth.ts";
import { Bench, type Row } from "./harness.ts";
import { levelling } from "./level.ts";
import { metaOf } from "./meta.ts";
import { placementScale } from "./placement_scale.ts";
import { plotsPage } from "./plots.ts";
import { scalingBatch } from "./scaling_batch.ts";
import { scalingGpus } from "./scaling_gpus.ts";
import { simdQuestion } from "./simd.ts";
import { solveBatch } from "./solve_batch.ts";
import { overBudget, solveLatency } from "./solve_latency.ts";
import { solveStages } from "./solve_stages.ts";
import { times } from "./times.ts";
import { tokensModes } from "./tokens_modes.ts";

const questions: Record<string, (bench: Bench) => Promise<void>> = {
  "cold-start": coldStart, // first: nothing is compiled yet
  "solve-latency": solveLatency,
  "solve-stages": solveStages,
  "solve-batch": solveBatch,
  simd: simdQuestion,
  cuda: cudaQuestion,
  depth: depthOfSolves,
  "tokens-modes": tokensModes,
  level: levelling,
  time: times,
  "scaling-batch": scalingBatch,
  "scaling-gpus": scalingGpus,
  "balancer-stages": balancerStages,
  "placement-scale": placementScale,
};

const { quick, json, html, only, budget } = options();
const { device, adapter } = await requestDevice();
const bench = new Bench(device, quick, progress);
const started = performance.now();
for (const [name, ask] of Object.entries(questions)) {
  // A budget is about single solves, whatever else is asked.
  if (only === undefined || only === name || (budget !== undefined && name === "solve-latency")) await ask(bench);
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
if (json !== undefined) writeFileSync(json, `${JSON.stringify({ meta, rows: bench.rows }, null, 1)}\n`);
if (html !== undefined) writeFileSync(html, plotsPage(bench.rows, bench.notes, cells(bench.rows), meta));
if (budget !== undefined) process.exitCode = holdTo(budget);
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
    if (values.only !== undefined && !(values.only in questions)) {
      throw new Error(`--only: expected one of ${Object.keys(questions).join(", ")}, got ${values.only}.`);
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

/** Exit code: 1 if a single solve takes more GPU time than the budget on a hardware adapter. */
function holdTo(budgetUs: number): number {
  if (adapter.software) {
    console.log(`Budget of ${budgetUs} us: no hardware adapter: amortised figures only.`);
    return 0;
  }
  const over = overBudget(bench.rows, budgetUs);
  for (const { topology, solver, timestampUs } of over) {
    console.log(
      `Over the budget of ${budgetUs} us: ${topology}, ${solver}, ${timestampUs?.toFixed(1)} us of GPU time.`,
    );
  }
  if (over.length === 0) console.log(`Every single solve is within the budget of ${budgetUs} us of GPU time.`);
  return over.length > 0 ? 1 : 0;
}

/** One line on a terminal, rewritten; nothing elsewhere. */
function progress(text: string): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r\u001b[K${text.slice(0, Math.max(0, (process.stderr.columns ?? 80) - 1))}`);
}

function cells(rows: readonly Row[]): string[][] {
  const header = [
    "question",
    "topology",
    "solver",
    "batch",
    "us/LP",
    "us/call",
    "5 %",
    "95 %",
    "GPU us",
    "gap mean",
    "gap max",
    "optimal",
  ];
  const placed = rows.some((row) => row.placed) ? ["imbalance", "95 %", "moves", "stopped by"] : [];
  const percent = (share: number | null, digits: number) =>
    share === null ? "" : `${(100 * share).toFixed(digits)} %`;
  const us = (value: number) => (value < 1000 ? value.toPrecision(3) : Math.round(value).toLocaleString("en"));
  const lines = rows.map((row) => [
    row.question,
    row.topology,
    row.solver,
    row.batch.toLocaleString("en"),
    us(row.usPerLp),
    us(row.medianUs),
    us(row.p05Us),
    us(row.p95Us),
    row.timestampUs === undefined ? "" : us(row.timestampUs),
    percent(row.gapMean, 4),
    percent(row.gapMax, 3),
    percent(row.optimalShare, 1),
    ...(placed.length > 0 ? placedCells(row) : []),
  ]);
  return [[...header, ...placed], ...lines];
}

function placedCells({ placed }: Row): string[] {
  if (!placed) return ["", "", "", ""];
  const { imbalance, p95, moves, stoppedBy } = placed;
  return [imbalance.toFixed(4), p95.toFixed(4), moves?.toLocaleString("en") ?? "", stoppedBy ?? ""];
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
