/** What is the WebAssembly program of a topology worth, alone and in a call, beside exact JavaScript and the rivals, and what does making it cost? */
import { Placement, topologies } from "../src/index.ts";
import { emptyRaw, judge } from "../src/lp/solution.ts";
import { affineLane } from "./baselines/affine_kernels.ts";
import type { FormName } from "./baselines/affine_scaling.ts";
import { edgeBalanceSimd, thresholdSimd } from "./baselines/simd_rivals.ts";
import type { Bench } from "./harness.ts";
import { exactAlone, simdAlone } from "./kernels_alone.ts";
import { perCore } from "./method.ts";
import { evenkeelSolve, evenkeelSolveExact, loadsOf } from "./ours.ts";
import { factor, type Row } from "./row.ts";
import { type Making, makeProgram } from "./simd_making.ts";
import { roundTrip, UNTIMED } from "./solve_latency.ts";
import { clockIsFine, quantiles, type Timed, type Timing } from "./timing.ts";
import { firstOf, graphWorkload, graphWorkloadOfExperts, modelWorkload, type Workload } from "./workloads.ts";

const QUESTION = "simd";
/** LPs that threads share, and pairs of measurements of which the best counts. */
const SHARED_BATCH = 4096;
const PAIRS = 5;

interface Case {
  work: Workload;
  /** Whose form affine scaling takes, where it is tried: its matrix is dense. */
  affine?: FormName;
  /** Whether one LP alone is timed. */
  single?: true;
}

function casesOf(layers: number): Case[] {
  return [
    { work: graphWorkload("cube 8x2", topologies.cube8(), 8, 1024), affine: "edge", single: true },
    { work: graphWorkloadOfExperts("cube 8x2, 64 experts", topologies.cube8(), 8, 1024), single: true },
    { work: graphWorkload("hypercube 16x2", topologies.hypercube16(), 16, 1024), affine: "edge" },
    { work: modelWorkload("EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers }, 256), affine: "replica" },
    {
      work: modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers }, 256),
      ...{ affine: "replica", single: true },
    },
    { work: modelWorkload("EP32 R32", { gpus: 32, experts: 256, redundant: 32, layers }, 256) },
  ];
}

export async function simdQuestion(bench: Bench): Promise<void> {
  const { host } = bench;
  if (!host.exportedC) bench.note("simd: no gcc here, so nothing about exported C");
  if (!clockIsFine()) bench.note("simd: this clock ticks too seldom to tell how long a program takes to be made");
  const cases = casesOf(bench.quick ? 4 : 16);
  for (const { work } of clockIsFine() ? cases : []) await making(bench, work);
  for (const { work, affine } of cases) {
    const ours = await kernels(bench, work);
    await calls(bench, work);
    if (affine && bench.software && host.coresMs) await affineScaling(bench, work, affine, ours, host.coresMs);
  }
  const shared = () => [
    graphWorkload("cube 8x2", topologies.cube8(), 8, SHARED_BATCH),
    modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, SHARED_BATCH),
  ];
  for (const work of host.cores === undefined ? [] : shared()) await sharedBatch(bench, work);
  const bares = { [UNTIMED]: await roundTrip(bench.device, false) };
  for (const { work, single } of cases) {
    if (!single) continue;
    const [bare, one] = await bench.compareInTurn(QUESTION, oneOf(work), [simdCall], bares);
    bench.note(`${work.name}, one LP: call to answer on the CPU takes ${factor(one, bare)} a ${bare.solver}`);
  }
  for (const bare of Object.values(bares)) bare.destroy();
}

/** The first LP alone. */
const oneOf = (work: Workload) => firstOf({ ...work, layers: work.layers.slice(0, 1) }, 1);

const simdCall = evenkeelSolve("cpu", { kernel: "simd" });

/** Kernels and rivals alone. Returns our row. */
async function kernels(bench: Bench, work: Workload): Promise<Row> {
  const methods = [simdAlone, exactAlone, edgeBalanceSimd, thresholdSimd];
  const { exportedC } = bench.host;
  if (exportedC && work.layers[0].form instanceof Placement) methods.push(exportedC);
  const [ours, exact, ...rivals] = await bench.compareInTurn(QUESTION, work, methods);
  for (const row of [exact, ...rivals]) {
    bench.note(`${work.name}: ${row.solver} takes ${factor(row, ours)} the time of ${ours.solver}`);
  }
  const c = rivals.find(({ solver }) => solver === exportedC?.name);
  if (c) bench.note(`${work.name}: ${exact.solver} takes ${factor(exact, c)} the time of ${c.solver}`);
  return ours;
}

/** Whole calls, and what of them is the judge. */
async function calls(bench: Bench, work: Workload): Promise<void> {
  const methods = [simdCall, evenkeelSolveExact];
  const baselines = { "judge alone": await judgeAlone(work) };
  const [judging, simd, exact] = await bench.compareInTurn(QUESTION, work, methods, baselines);
  bench.note(
    `${work.name}: ${exact.solver} takes ${factor(exact, simd)} the time of ${simd.solver}, whose judge takes ${factor(judging, simd)}`,
  );
}

/** Two threads against one, whose calls take turns: the best of several pairs, since a second core is not always there. */
async function sharedBatch(bench: Bench, work: Workload): Promise<void> {
  const methods = [1, 2].map((threads) => evenkeelSolve("cpu", { kernel: "simd", threads }));
  const pairs: Row[][] = [];
  for (let pair = 0; pair < PAIRS; pair++) pairs.push(await bench.compareInTurn(QUESTION, work, methods));
  const gain = ([one, two]: Row[]) => one.usPerLp / two.usPerLp;
  const best = pairs.reduce((a, b) => (gain(b) > gain(a) ? b : a));
  for (const pair of pairs) if (pair !== best) bench.drop(pair);
  const [one, two] = best;
  bench.note(`${work.name}, batch ${work.batch}: ${one.solver} takes ${factor(one, two)} the time of ${two.solver}`);
}

async function judgeAlone(work: Workload): Promise<Timed> {
  const layers = work.layers.map(({ topology }, layer) => {
    const loads = { ...loadsOf(work, layer), tokens: "integer" as const };
    return { topology, loads, raw: emptyRaw(topology, loads) };
  });
  const { answer, run } = await simdAlone.prepare(work);
  await run();
  for (const [layer, { topology, loads, raw }] of layers.entries()) {
    // Every slot is a replica in these workloads.
    for (let p = 0; p < loads.batch; p++) raw.quota.set(answer()(p * layers.length + layer), p * topology.slots);
  }
  return {
    run() {
      for (const { topology, loads, raw } of layers) {
        const { judgeOne } = judge(topology, loads, raw);
        for (let lp = 0; lp < loads.batch; lp++) judgeOne(lp);
      }
    },
  };
}

/** LPLB's and SGLang's method on all cores of a software adapter, by the time of all of them together. */
async function affineScaling(
  bench: Bench,
  work: Workload,
  form: FormName,
  ours: Row,
  coresMs: () => number,
): Promise<void> {
  const [row] = await bench.compare(QUESTION, work, [perCore(affineLane(bench.device, form), coresMs)]);
  bench.note(`${work.name}: ${row.solver} takes ${factor(row, ours)} the time of ${ours.solver}`);
}

/** From a topology to its program, stage by stage, and how long V8 takes to write the best code for it. */
async function making(bench: Bench, work: Workload): Promise<void> {
  const made: Making[] = [];
  for (let i = 0; i < bench.effort.leastSamples; i++) made.push(await makeProgram(work));
  const ms = (stage: "generateMs" | "compileMs" | "settledMs") => {
    const at = quantiles(made.map((one) => one[stage] * 1e3));
    const timing: Timing = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
    bench.row(QUESTION, stages[stage], oneOf(work), timing);
    return `${(timing.medianUs / 1e3).toFixed(1)} ms`;
  };
  const calls = quantiles(made.map(({ settledCalls }) => settledCalls))(0.5);
  const { steps, bytes } = made[0];
  bench.note(
    `${work.name}: ${steps} steps, ${bytes} bytes: generated in ${ms("generateMs")} (${made[0].generateMs.toFixed(1)} the first time), ` +
      `compiled in ${ms("compileMs")}, at full speed after ${calls} calls of four LPs or ${ms("settledMs")}`,
  );
}

const stages = {
  generateMs: "topology to WebAssembly",
  compileMs: "WebAssembly to module",
  settledMs: "calls until full speed",
} as const;
