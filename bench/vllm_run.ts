/**
 * How far is the simulator from a real run? vLLM 0.19 served Qwen3-30B-A3B on two GPUs (data and expert parallel, 300 requests of ShareGPT).
 *
 *   node scripts/run.mjs bench/vllm_run.ts [FOLDER]
 *
 * FOLDER holds the run's two files (LLMServingSim's benchmark wrote them). The step time is fitted to what had been logged when the first
 * request of the second half came; then all are simulated from their arrivals and lengths. Printed are the errors of both halves, the
 * same with the fit cut later, the requests that run over time, and what a step time of five numbers misses.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { fitStepTime } from "../src/serving.ts";
import { recordedPath } from "../test/helpers/recorded.ts";
import { fitToLog, stepRows, WORKERS } from "./vllm_fit.ts";
import { readRunLog } from "./vllm_log.ts";
import { decodeSteps, promptCost } from "./vllm_misses.ts";
import { type Errors, errorsOf, type Part, replay, replayPlannedAhead, runningAtTicks, SLOTS } from "./vllm_replay.ts";

const NAME = "llmservingsim_qwen3_30b_a3b_rtxpro6000_vllm_";
const folder = process.argv[2] ?? recordedPath("perf");
const read = (name: string) => readFileSync(join(folder, NAME + name), "utf8");
const log = readRunLog(read("requests.jsonl"), read("timeseries.csv"));
const half = log.requests >> 1;
const first: Part = [0, half];
const second: Part = [half, log.requests];
const middle = log.arrival[half];
const end = Math.max(...log.lastToken);
/** The first so many found a slot free. */
const free = WORKERS * SLOTS;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const ms = (seconds: number) => (1e3 * seconds).toFixed(1);
const us = (seconds: number) => (1e6 * seconds).toFixed(0);

await printErrors();
await printSpread();
await printRunning();
printMisses();

async function printErrors(): Promise<void> {
  const cells = ({ latency, ttft, tpot }: Errors) => [latency, ttft, tpot].map(percent);
  const cuts: [string, number][] = [
    ["half of the requests have come", middle],
    ["half of the time", end / 2],
    ["the end: no prediction", Number.POSITIVE_INFINITY],
  ];
  const table = [["fitted until", "s", "planned", "1st half: latency", "TTFT", "TPOT", "2nd: latency", "TTFT", "TPOT"]];
  for (const [name, until] of cuts) {
    const { stepTime, rows, error } = fitToLog(log, until);
    const numbers = Object.entries(stepTime).map(([key, value]) => `${key} ${value.toPrecision(3)}`);
    console.log(`${name}: ${numbers.join(", ")} s; ${rows} ticks, off by ${percent(error)}`);
    for (const [planned, run] of [
      ["when it begins", replay],
      ["a step ahead", replayPlannedAhead],
    ] as const) {
      const predicted = await run(log, stepTime);
      const errors = [first, second].flatMap((part) => cells(errorsOf(log, predicted, part)));
      table.push([name, Math.min(until, end).toFixed(1), planned, ...errors]);
    }
  }
  console.log(`\n${plainTable(table)}\n\nA crude fit of six numbers to the ticks gave: latency 18 %, TTFT 115 %.`);
  const predicted = await replay(log, fitToLog(log, middle).stepTime);
  const [soon, late] = (
    [
      [half, free],
      [free, log.requests],
    ] as const
  ).map((part) => errorsOf(log, predicted, part));
  console.log(
    `2nd half, TTFT: ${percent(soon.ttft)} where a slot was free, ${percent(late.ttft)} of those that waited for one.`,
  );
}

/** The first fit without one of its ticks. */
async function printSpread(): Promise<void> {
  const rows = stepRows(log, middle);
  const found: number[] = [];
  for (const left of rows) {
    const { stepTime } = fitStepTime(
      rows.filter((row) => row !== left),
      { heldOut: 0 },
    );
    found.push(errorsOf(log, await replay(log, stepTime), second).latency);
  }
  const [least, most] = [Math.min(...found), Math.max(...found)].map(percent);
  console.log(`Without one of the first fit's ticks, 2nd half, latency: ${least} to ${most}.\n`);
}

async function printRunning(): Promise<void> {
  const running = runningAtTicks(log, await replay(log, fitToLog(log, middle).stepTime));
  const shown = running.filter((_, k) => k % 5 === 4);
  const rows = [
    ["s", ...shown.map(({ time }) => time.toFixed(0))],
    ["running, recorded", ...shown.map(({ recorded }) => `${recorded}`)],
    ["running, predicted", ...shown.map(({ predicted }) => `${predicted}`)],
  ];
  const apart = running.reduce((sum, { recorded, predicted }) => sum + Math.abs(recorded - predicted), 0);
  console.log(
    `${plainTable(rows)}\n\n${(apart / running.length).toFixed(1)} apart in the mean of ${running.length} ticks.\n`,
  );
}

function printMisses(): void {
  const rows = stepRows(log, Number.POSITIVE_INFINITY);
  const steps = decodeSteps(rows, fitToLog(log, middle).stepTime);
  const shown = [1, 6, 16, 30, 58, 106, 155, 202, 256].map((n) =>
    steps.reduce((best, step) => (Math.abs(step.running - n) < Math.abs(best.running - n) ? step : best)),
  );
  console.log(
    plainTable([
      ["running, no prefill", ...shown.map(({ running }) => running.toFixed(0))],
      ["step, recorded, ms", ...shown.map(({ recorded }) => ms(recorded))],
      ["step, fitted, ms", ...shown.map(({ fitted }) => ms(fitted))],
    ]),
  );
  const bands = [0, 64, 128, 192, 256];
  const costs = bands.slice(1).map((to, k) => `${us(promptCost(rows, bands[k], to))} us up to ${to} running`);
  console.log(`\nA prompt token costs ${costs.join(", ")}.`);
}
