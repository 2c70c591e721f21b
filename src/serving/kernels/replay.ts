import u64 from "../../../shaders/common/u64.wgsl";
import wgsl from "../../../shaders/serving/replay.wgsl";
import admission from "../../../shaders/serving/replay_admission.wgsl";
import lists from "../../../shaders/serving/replay_lists.wgsl";
import router from "../../../shaders/serving/replay_router.wgsl";
import state from "../../../shaders/serving/replay_state.wgsl";
import steps from "../../../shaders/serving/replay_steps.wgsl";
import { type CompiledKernel, compile, foldGrid, type Kernel } from "../../gpu/pipeline.ts";
import type { PlannedScenario, SweepPlan } from "../sweep/scenarios.ts";
import type { RawScenario } from "../sweep/swept.ts";
import { BINS, noCounts, type ReplayCounts, type Units } from "../twins/replay_state.ts";

export const replayKernel = {
  name: "replay",
  wgsl,
  includes: [state, lists, admission, steps, router, u64],
  bindings: {
    requests: "read-only-storage",
    arrivals: "read-only-storage",
    estimates: "read-only-storage",
    scenarios: "read-only-storage",
    state: "storage",
    outcome: "storage",
    progress: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Scenarios differ in what they do at any time, and lanes of a subgroup wait for each other: few of them, on more subgroups. On an H100 4,096 take 0.33 ms each, 0.58 with 32. */
const WORKGROUP = 4;

export function compileReplay(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, replayKernel, {}, { WG: WORKGROUP });
}

export const replayGrid = (device: GPUDevice, scenarios: number): [number, number] =>
  foldGrid(device, Math.ceil(scenarios / WORKGROUP));

const HEADER_WORDS = 9;
const WORKER_WORDS = 32;
const REQUEST_WORDS = 12;
const COUNT_WORDS = 36;
export const SCENARIO_WORDS = 5;
export const OUTCOME_WORDS = COUNT_WORDS + 2 * BINS;
const TWO_32 = 2 ** 32;

/** Words of a scenario's `state`. */
export const stateWords = (requests: number, workers: number): number =>
  HEADER_WORDS + WORKER_WORDS * workers + REQUEST_WORDS * requests;

const low = (value: number): number => value % TWO_32;
const high = (value: number): number => Math.floor(value / TWO_32);

/** The kernel's `requests`. */
export function packRequests({ input, output, rank }: SweepPlan["setting"]): Uint32Array {
  const packed = new Uint32Array(4 * input.length);
  for (let id = 0; id < input.length; id++) packed.set([input[id], output[id], rank[id]], 4 * id);
  return packed;
}

/** [rows, n] times as u64. */
export function packArrivals(rows: readonly Float64Array[]): Uint32Array {
  const words: number = rows.reduce((sum, { length }) => sum + 2 * length, 0);
  const packed = new Uint32Array(words);
  let at = 0;
  for (const row of rows) {
    for (const time of row) {
      packed[at++] = low(time);
      packed[at++] = high(time);
    }
  }
  return packed;
}

/** [rows, n] */
export function packEstimates(rows: readonly Int32Array[]): Uint32Array {
  const n = rows[0]?.length ?? 0;
  const packed = new Uint32Array(rows.length * n);
  for (const [k, row] of rows.entries()) packed.set(row, k * n);
  return packed;
}

export function packScenarios(scenarios: readonly PlannedScenario[]): Uint32Array {
  const rows = scenarios.flatMap((one) => [one.routing, one.scheduling, one.workers, one.arrivals, one.estimates]);
  return Uint32Array.from(rows);
}

/** The kernel's ReplayParams. */
export function replayParams(
  { input, step, slots, kvTokens, chunk, recompute, grain, ttftLimit, tpotLimit }: SweepPlan["setting"],
  { scenarios, stride, budget }: { scenarios: number; stride: number; budget: number },
): Uint32Array {
  const units = ({ whole, part }: Units) => [part, whole];
  const limit = (ticks: number) =>
    ticks === Number.POSITIVE_INFINITY ? [TWO_32 - 1, TWO_32 - 1] : [low(ticks), high(ticks)];
  return Uint32Array.from([
    ...units(step.base),
    ...units(step.perSequence),
    ...units(step.perKvToken),
    ...units(step.perPrefillToken),
    ...units(step.perHalfPair),
    ...limit(ttftLimit),
    ...limit(tpotLimit),
    ...[input.length, scenarios, stride, budget, slots, kvTokens],
    ...[Math.min(chunk, TWO_32 - 1), recompute ? 1 : 0, grain, 0],
  ]);
}

/** What the kernel has counted of a scenario, of its words in `outcome`. */
export function unpackOutcome(words: Uint32Array): RawScenario {
  const counts = noCounts();
  for (const [k, name] of (Object.keys(counts) as (keyof ReplayCounts)[]).entries()) {
    counts[name] = words[2 * k] + TWO_32 * words[2 * k + 1];
  }
  return {
    counts,
    ttft: words.slice(COUNT_WORDS, COUNT_WORDS + BINS),
    tpot: words.slice(COUNT_WORDS + BINS, OUTCOME_WORDS),
  };
}
