// A decode loop with a balancer in it: each step brings the router's expert ids, and takes away physical slot ids for the all-to-all.
// The ids are replayed from a recording of gpt-oss-20b, all layers of a step in one call. (Where a layer's ids wait for the layer
// before, give each layer a balancer of its own: they share their pipelines.)
//
//   node scripts/run.mjs examples/serve.ts [FILE] [--backend auto|webgpu|cpu] [--every N]
//
// FILE: uint8 ids [sequence][step][layer][rank], row-major, in gzip; a step's batch is one token of every sequence. Without it, made-up
// ids stand in. EPLB places the experts by the loads of the first half of the steps, and every N-th step after that is served.
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { SingleBar } from "cli-progress";
import {
  type Balanced,
  type Balancer,
  type BalancerOptions,
  certify,
  createBalancer,
  measureImbalance,
  Placement,
  rebalanceExperts,
} from "evenkeel";

const LAYERS = 24;
const EXPERTS = 32;
const TOP_K = 4;
const STEPS = 511; // of every recorded sequence
const GPUS = 8;

interface Recording {
  source: string;
  sequences: number;
  steps: number;
  /** [sequence, step, layer, rank] */
  ids: Uint8Array;
}

process.once("SIGINT", () => process.exit(130)); // runs the exit handlers, unlike the default
process.stdout.once("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? 0 : 1)); // as in `| head`
try {
  await main();
} catch (error) {
  console.error(`serve: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { file, backend, every } = readArguments();
  const recording = file === undefined ? standIn() : readRecording(file);
  const { source, sequences, steps } = recording;
  const fitted = Math.ceil(steps / 2);
  const served = Array.from({ length: Math.ceil((steps - fitted) / every) }, (_, i) => fitted + i * every);
  console.log(`${source}: ${sequences} sequences, ${LAYERS} layers, top-${TOP_K} of ${EXPERTS} experts, ${GPUS} GPUs`);
  console.log(`placed by steps 0-${fitted - 1}; served ${served.length} of the steps ${fitted}-${steps - 1}\n`);

  const columns = ["redundant", "contiguous", "EPLB, even split", "EPLB, balanced", "ms per step", "backend"];
  const line = (cells: string[]) => cells.map((cell, i) => cell.padStart(columns[i].length)).join("   ");
  console.log(line(columns));
  for (const redundant of [8, 16]) {
    const placement = placeExperts(recording, fitted, redundant);
    const balancer = await createBalancer({ placement, topK: TOP_K, maxTokens: sequences, backend });
    const { contiguous, even, balanced, medianMs } = await serve(balancer, placement, recording, served);
    balancer.destroy();
    const imbalances = [contiguous, even, balanced].map((ratio) => ratio.toFixed(4));
    const { backend: answered, device } = balancer;
    const by = device ? `${answered}, ${device.adapterInfo.description}` : answered;
    console.log(line([`${redundant}`, ...imbalances, medianMs.toFixed(1), by]));
  }
  console.log(
    `\nImbalance: max / mean GPU load, mean of ${served.length} steps x ${LAYERS} layers. In every batch, checked:`,
  );
  console.log(
    "physical ids map back to the router's, each slot got its quota, and the optimum of each layer is certified.",
  );
}

/** The loop of the runtime: per step one call, and what is checked and reported of it. */
async function serve(balancer: Balancer, placement: Placement[], recording: Recording, steps: number[]) {
  const counts = new Int32Array(steps.length * LAYERS * EXPERTS);
  const even: number[] = [];
  const balanced: number[] = [];
  const ms: number[] = [];
  const progress = new SingleBar({ format: "serving {bar} {value}/{total} steps", clearOnComplete: true }); // on a terminal's stderr
  const clear = () => progress.stop();
  process.once("exit", clear);
  progress.start(steps.length, 0);
  for (const [i, step] of steps.entries()) {
    await setImmediate(); // the CPU backend answers without leaving this task: let Ctrl-C in
    const topkIds = routedIds(recording, step);
    const start = performance.now();
    const batch = await balancer.balance(topkIds);
    ms.push(performance.now() - start);
    // Here the runtime sends every token to batch.physicalIds.
    check(topkIds, batch, placement, step);
    counts.set(batch.counts, i * LAYERS * EXPERTS);
    even.push(...batch.before.imbalance);
    balanced.push(...batch.after.imbalance);
    progress.update(i + 1);
  }
  process.off("exit", clear);
  clear();
  const inOrder = Array.from({ length: EXPERTS }, (_, expert) => expert);
  const contiguous = Placement.fromPhysicalToLogical(inOrder, { gpus: GPUS });
  const unbalanced = await measureImbalance({ placement: contiguous, counts }, { backend: balancer.backend });
  return { contiguous: mean(unbalanced.imbalance), even: mean(even), balanced: mean(balanced), medianMs: median(ms) };
}

/** Takes nothing of the answer on trust.  @throws {Error} It is not what the ids ask for, or not optimal. */
function check(topkIds: Int32Array, batch: Balanced, placement: Placement[], step: number): void {
  const perLayer = topkIds.length / LAYERS;
  for (const [layer, { physicalExperts, physicalToLogical }] of placement.entries()) {
    const where = `step ${step}, layer ${layer}`;
    const filled = new Int32Array(physicalExperts);
    for (let i = layer * perLayer; i < (layer + 1) * perLayer; i++) {
      const slot = batch.physicalIds[i];
      if (physicalToLogical[slot] !== topkIds[i])
        throw new Error(`${where}: expert ${topkIds[i]} went to slot ${slot}`);
      filled[slot]++;
    }
    for (const [slot, tokens] of filled.entries()) {
      const quota = batch.quota[layer * physicalExperts + slot];
      if (tokens !== quota) throw new Error(`${where}: slot ${slot} got ${tokens} tokens, its quota is ${quota}`);
    }
    const { problem, solution } = batch.proof(layer);
    const [{ verdict }] = certify(problem, solution);
    if (verdict !== "optimal") throw new Error(`${where}: ${verdict}, not optimal`);
  }
}

/** What the router gives at a step: [layer, sequence, rank]. A runtime has it on the GPU, and uses `balancer.encode`. */
function routedIds({ sequences, steps, ids }: Recording, step: number): Int32Array {
  const routed = new Int32Array(LAYERS * sequences * TOP_K);
  for (let layer = 0; layer < LAYERS; layer++) {
    for (let sequence = 0; sequence < sequences; sequence++) {
      const from = ((sequence * steps + step) * LAYERS + layer) * TOP_K;
      routed.set(ids.subarray(from, from + TOP_K), (layer * sequences + sequence) * TOP_K);
    }
  }
  return routed;
}

/** EPLB's placement of each layer for the loads of the first `fitted` steps. */
function placeExperts(recording: Recording, fitted: number, redundant: number): Placement[] {
  const load = Array.from({ length: LAYERS }, () => new Float64Array(EXPERTS));
  for (let step = 0; step < fitted; step++) {
    const routed = routedIds(recording, step);
    for (const [i, expert] of routed.entries()) load[Math.floor((i / routed.length) * LAYERS)][expert]++;
  }
  const { physicalToLogical } = rebalanceExperts(load, { replicas: EXPERTS + redundant, gpus: GPUS });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus: GPUS }));
}

function readRecording(file: string): Recording {
  const ids = gunzipSync(readFileSync(file));
  const sequences = ids.length / (STEPS * LAYERS * TOP_K);
  if (Number.isInteger(sequences) && sequences > 0) return { source: file, sequences, steps: STEPS, ids };
  throw new Error(`${file}: expected a multiple of ${STEPS} x ${LAYERS} x ${TOP_K} ids, got ${ids.length}`);
}

/** Skewed random ids, other experts being popular in other layers. They show that the loop works, nothing about a model. */
function standIn(): Recording {
  const [sequences, steps] = [64, 32];
  const ids = new Uint8Array(sequences * steps * LAYERS * TOP_K);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return state / 2 ** 32;
  };
  for (let first = 0; first < ids.length; first += TOP_K) {
    const layer = (first / TOP_K) % LAYERS;
    const chosen = new Set<number>();
    while (chosen.size < TOP_K) chosen.add((5 * Math.floor(EXPERTS * uniform() ** 1.5) + layer) % EXPERTS);
    ids.set([...chosen], first);
  }
  return { source: "RANDOM STAND-IN, no recording given", sequences, steps, ids };
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { backend: { type: "string", default: "auto" }, every: { type: "string", default: "1" } },
  });
  const every = Number(values.every);
  if (!Number.isInteger(every) || every < 1) throw new Error(`--every: expected an integer >= 1, got ${values.every}`);
  if (positionals.length > 1) throw new Error(`expected one FILE, got ${positionals.join(" ")}`);
  return { file: positionals[0], backend: values.backend as BalancerOptions["backend"], every };
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
