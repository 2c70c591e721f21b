import { ArgumentError, LoadError, ShapeError, whyNotWebgpu } from "../common/errors.ts";
import { flat, type Rows } from "../common/numbers.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { write } from "../gpu/buffers.ts";
import { bufferUsage } from "../gpu/constants.ts";
import { lossError, watchLoss } from "../gpu/loss.ts";
import { bind, type CompiledKernel } from "../gpu/pipeline.ts";
import { createReadback } from "../gpu/readback.ts";
import { acquireDevice } from "../lp/device_choice.ts";
import { MAX_TOKENS } from "../lp/problem.ts";
import { checkBackend, type SolverOptions } from "../lp/solver_options.ts";
import { type Activity, checkActive } from "../placement/active.ts";
import { livingSlots, type Slots } from "../placement/living_slots.ts";
import { isPlacementLike, Placement, type PlacementLike } from "../placement/placement.ts";
import { compileApportion } from "./kernels/apportion.ts";
import {
  balanceParams,
  CHUNK,
  chunksOf,
  LANES,
  MAX_EXPERTS,
  placementTable,
  tooLargeFor,
} from "./kernels/balance_params.ts";
import { compileCount } from "./kernels/count.ts";
import { compileImbalance, decodeImbalance, type ImbalanceReport, METRICS_WORDS } from "./kernels/imbalance.ts";
import { type TopkIds, toIds } from "./topk_ids.ts";
import { apportion } from "./twins/apportion.ts";
import { count } from "./twins/count.ts";
import { imbalance } from "./twins/imbalance.ts";

export interface ImbalanceInput extends Activity {
  /** One placement for every layer, or one per layer, all of the same gpus, logicalExperts and physicalExperts; slotsPerGpu may differ. */
  placement: PlacementLike | readonly PlacementLike[];
  /** [L, E] tokens per expert, integers >= 0, flat or in rows as all numbers here. Or topkIds. */
  counts?: Rows;
  /** [L, T, k] expert ids; -1 is padding, ids out of range are counted and ignored. With topK. */
  topkIds?: TopkIds;
  /** k */
  topK?: number;
  /** L; by default as many as counts has, or for topkIds the number of placements. */
  layers?: number;
  /**
   * [L, P] tokens per slot, each expert's adding up to its count, or to 0 if it is lost; 0 on dead GPUs and in empty slots. Without it, tokens are split
   * evenly over an expert's living slots.
   */
  quota?: Rows;
  /**
   * Instead of quota, [L, E, X] each expert's shares over its slots as in logicalToPhysical, X = the most slots of any expert, >= 0 and in any
   * unit (SGLang's and vLLM's dispatch shares). Every slot gets its share of the tokens, to within one; those of dead slots are left out.
   */
  shares?: Rows;
}

const inputFields = {
  ...{
    placement: true,
    active: true,
    counts: true,
    topkIds: true,
    topK: true,
    layers: true,
    quota: true,
    shares: true,
  },
} satisfies FieldsOf<ImbalanceInput>;

/** The options of `createSolver` that apply here; "auto" is the caller's device or a hardware adapter where there is one, else the CPU. */
export type ImbalanceOptions = Pick<SolverOptions, "backend" | "device" | "adapter">;

/** An ImbalanceReport, and how many ids were neither an expert nor -1. */
export type MeasuredImbalance = ImbalanceReport & { /** [L] */ outOfRange: Int32Array };

/**
 * How evenly a batch loads the GPUs, for L layers.
 *
 *   imbalance = max / mean   balancedness = mean / max   idleTokens = sum_g (max - load_g)   variation = std / mean
 *
 * Loads are whole tokens and exact; ratios are f32 on WebGPU, f64 on the CPU. A layer without tokens has imbalance 1 and idleTokens 0. Dead GPUs are out
 * of it, and so are the tokens of experts without a living slot, which nobody serves.
 *
 * @param input  read, never written or kept.
 * @throws {ShapeError | ArgumentError | LoadError} A length or value is not as it should be, or quotas do not add up to the counts.
 * @throws {DeviceError} backend is "webgpu" and there is no device, or it is lost.  @throws {KernelError} It is, and the device's compiler
 *   refuses a kernel.
 */
export async function measureImbalance(
  input: ImbalanceInput,
  options: ImbalanceOptions = {},
): Promise<MeasuredImbalance> {
  requireObject("input", input, inputFields);
  requireObject("options", options, { backend: true, device: true, adapter: true });
  const backend = checkBackend(options);
  const checked = checkInput(input);
  const { acquired } = await acquireDevice(backend, options);
  const excess = acquired && excessOn(acquired.device, checked);
  if (excess && backend === "webgpu") throw excess;
  if (!acquired || excess) return onCpu(checked);
  const lost = watchLoss(acquired.device);
  try {
    return await onGpu(acquired.device, checked);
  } catch (cause) {
    await Promise.resolve(); // lets device.lost report first
    const info = lost();
    const error = info ? lossError(info, `Call it again, or use backend "auto" or "cpu".`, cause) : cause;
    if (backend === "webgpu" || whyNotWebgpu(error) === undefined) throw error;
    return onCpu(checked);
  }
}

/** What is too much for a device, if anything: WebGPU itself would answer zeros. */
function excessOn({ limits }: GPUDevice, { placements, layers, ids }: Checked): ArgumentError | undefined {
  const { maxComputeWorkgroupsPerDimension: workgroups, maxStorageBufferBindingSize: bytes } = limits;
  const { gpus, logicalExperts } = placements[0];
  const remedy = `Use backend "cpu" or "auto".`;
  const readBack = 2 * gpus + METRICS_WORDS + 1;
  const tooLarge = tooLargeFor(limits, placements, layers, ids ? ids.length / layers : 0, readBack);
  if (tooLarge || !ids) return tooLarge;
  if (logicalExperts > MAX_EXPERTS) {
    return new ShapeError("placement.logicalExperts", `at most ${MAX_EXPERTS} with topkIds`, logicalExperts, remedy);
  }
  const mostIds = Math.min(Math.floor(bytes / 4), layers * workgroups * CHUNK);
  if (ids.length > mostIds) return new ShapeError("topkIds", `at most ${mostIds} on this device`, ids.length, remedy);
  return undefined;
}

interface Checked {
  /** With the slots of dead GPUs empty. */
  placements: readonly Slots[];
  /** [G] 1 where a GPU is alive; undefined: all are. */
  active: Uint8Array | undefined;
  layers: number;
  /** Exactly one of ids, counts and quota decides the loads. */
  ids?: Int32Array | Uint32Array;
  counts?: Int32Array<ArrayBuffer>;
  quota?: Int32Array<ArrayBuffer>;
  outOfRange?: Int32Array;
}

function checkInput(input: ImbalanceInput): Checked {
  const { placement, counts, topkIds, topK, layers, quota, shares } = input;
  const given = isPlacementLike(placement) ? [placement] : placement;
  if (!Array.isArray(given) || !given.every(isPlacementLike) || given.length === 0) {
    throw new ArgumentError("placement", "a Placement, or one per layer", placement);
  }
  const all = given.map((one, i) => Placement.of(given === placement ? `placement[${i}]` : "placement", one));
  const active = checkActive(input.active, all[0].gpus);
  const placements = all.map((one) => livingSlots(one, active));
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  for (const [i, one] of placements.entries()) {
    if (one.gpus !== gpus || one.logicalExperts !== experts || one.physicalExperts !== slots) {
      throw new ShapeError(
        `placement[${i}]`,
        `${gpus} GPUs, ${experts} experts and ${slots} slots as the first`,
        one.physicalExperts,
      );
    }
  }
  if ((counts === undefined) === (topkIds === undefined)) {
    throw new ArgumentError("counts", "either counts or topkIds", counts === undefined ? "neither" : "both");
  }
  if (quota !== undefined && shares !== undefined) throw new ArgumentError("shares", "no quota besides", shares);
  const decided = quota !== undefined || shares !== undefined;
  const decide = (known: Checked): Checked => {
    if (!decided) return known;
    return { ...known, quota: quota === undefined ? quotaOfShares(shares!, known) : checkQuota(quota, known) };
  };
  if (counts !== undefined) {
    const found = wholeTokens("counts", counts, { E: experts }, placements.length);
    const rows = found.length / experts;
    if (layers !== undefined && layers !== rows) throw new ArgumentError("layers", `${rows} as in counts`, layers);
    return decide({ placements, active, layers: rows, counts: found });
  }
  const ids = toIds(topkIds!);
  if (!Number.isInteger(topK) || topK! < 1) throw new ArgumentError("topK", "an integer >= 1", topK);
  const rows = layers === undefined ? placements.length : layers;
  if (!Number.isInteger(rows) || rows < 1 || (placements.length !== 1 && placements.length !== rows)) {
    throw new ArgumentError("layers", "an integer >= 1, the number of placements where there are several", rows);
  }
  if (ids.length % (rows * topK!) !== 0) {
    throw new ShapeError("topkIds", `a multiple of L * k = ${rows} * ${topK} ids`, ids.length);
  }
  if (!decided) return { placements, active, layers: rows, ids };
  const counted = count(ids, rows, experts);
  const found = counted.counts as Int32Array<ArrayBuffer>;
  return decide({ placements, active, layers: rows, counts: found, outOfRange: counted.outOfRange });
}

/** Rounds the running sums of an expert's shares, which leaves every slot within one token of its due and the sum exact. */
function quotaOfShares(given: Rows, { placements, layers, counts }: Checked): Int32Array<ArrayBuffer> {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const width = placements.reduce((most, { maxReplicas }) => Math.max(most, maxReplicas), 0);
  const { values: shares, path } = flat("shares", given, { E: experts, X: width });
  if (shares.length !== layers * experts * width) {
    throw new ShapeError("shares", `L * E * X = ${layers} * ${experts} * ${width} values`, shares.length);
  }
  const quota = new Int32Array(layers * slots);
  for (let layer = 0; layer < layers; layer++) {
    const { maxReplicas, logicalToPhysical, physicalToLogical } = placements[layer % placements.length];
    for (let e = 0; e < experts; e++) {
      const first = (layer * experts + e) * width;
      const all = logicalToPhysical.slice(e * maxReplicas, (e + 1) * maxReplicas).filter((slot) => slot >= 0);
      // Columns are all slots, ascending; dead ones have none of its tokens.
      const living = [...all.sort().entries()].filter(([, slot]) => physicalToLogical[slot] === e);
      const row = living.map(([i]) => shares[first + i]);
      const wrong = row.findIndex((share) => typeof share !== "number" || !(share >= 0 && share < Infinity));
      if (wrong >= 0) throw new LoadError(path(first + living[wrong][0]), "a finite number >= 0", row[wrong]);
      const sum = row.reduce((a, b) => a + b, 0);
      const tokens = counts![layer * experts + e];
      let running = 0;
      let given = 0;
      for (const [i, share] of row.entries()) {
        running += sum > 0 ? share / sum : 1 / row.length; // no shares at all: even
        const due = i === row.length - 1 ? tokens : Math.round(tokens * running);
        quota[layer * slots + living[i][1]] = due - given;
        given = due;
      }
    }
  }
  return quota;
}

/** [L, width] integers >= 0, each layer's total within i32. */
function wholeTokens(
  argument: string,
  given: Rows,
  row: Record<string, number>,
  placements: number,
): Int32Array<ArrayBuffer> {
  const [width] = Object.values(row);
  const { values, path } = flat(argument, given, row);
  const layers = values.length / width;
  if (!Number.isInteger(layers) || layers < 1 || (placements !== 1 && placements !== layers)) {
    const expected = placements === 1 ? `L * ${width} values` : `L * ${width} = ${placements * width} values`;
    throw new ShapeError(argument, expected, values.length);
  }
  for (let layer = 0; layer < layers; layer++) {
    let total = 0;
    for (let i = layer * width; i < (layer + 1) * width; i++) {
      if (!Number.isInteger(values[i]) || values[i] < 0) throw new LoadError(path(i), "an integer >= 0", values[i]);
      total += values[i];
    }
    if (total > MAX_TOKENS) throw new LoadError(argument, `a total of at most ${MAX_TOKENS} in layer ${layer}`, total);
  }
  return Int32Array.from(values);
}

function checkQuota(given: Rows, { placements, layers, counts }: Checked): Int32Array<ArrayBuffer> {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const quota = wholeTokens("quota", given, { P: slots }, placements.length);
  if (quota.length !== layers * slots)
    throw new ShapeError("quota", `L * P = ${layers} * ${slots} values`, quota.length);
  const left = counts!.slice();
  for (let i = 0; i < quota.length; i++) {
    const layer = Math.floor(i / slots);
    const e = placements[layer % placements.length].physicalToLogical[i % slots];
    if (e >= 0) left[layer * experts + e] -= quota[i];
    else if (quota[i] > 0) throw new LoadError(`quota[${i}]`, "0 in an empty slot and on a dead GPU", quota[i]);
  }
  const lives = (i: number) => placements[Math.floor(i / experts) % placements.length].replicaCount[i % experts] > 0;
  const wrong = left.findIndex((tokens, i) => tokens !== 0 && lives(i));
  if (wrong < 0) return quota;
  const expert = `expert ${wrong % experts} in layer ${Math.floor(wrong / experts)}`;
  throw new LoadError("quota", `${counts![wrong]} tokens for ${expert}`, counts![wrong] - left[wrong]);
}

function onCpu({ placements, active, layers, ids, counts, quota, outOfRange }: Checked): MeasuredImbalance {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const counted = ids
    ? count(ids, layers, experts)
    : { counts: counts!, outOfRange: outOfRange ?? new Int32Array(layers) };
  const split = quota ?? new Int32Array(layers * slots);
  if (!quota) {
    for (let l = 0; l < layers; l++) {
      const row = counted.counts.subarray(l * experts, (l + 1) * experts);
      apportion(placements[l % placements.length], row, undefined, split.subarray(l * slots, (l + 1) * slots));
    }
  }
  return { ...imbalance(placements, layers, split, active), outOfRange: counted.outOfRange };
}

async function onGpu(device: GPUDevice, checked: Checked): Promise<MeasuredImbalance> {
  const { placements, active, layers, ids, counts, quota } = checked;
  const living = active?.reduce((a, b) => a + b);
  const table = placementTable(placements, active);
  const { gpus, experts, slots } = table;
  const assignments = ids ? ids.length / layers : 0;
  const buffers: GPUBuffer[] = [];
  const create = (words: number, usage: GPUBufferUsageFlags = bufferUsage.STORAGE) => {
    const size = Math.max(16, 4 * words);
    buffers.push(device.createBuffer({ size, usage: usage | bufferUsage.COPY_DST | bufferUsage.COPY_SRC }));
    return buffers[buffers.length - 1];
  };
  const upload = (data: Int32Array | Uint32Array, usage?: number) => {
    const buffer = create(data.length, usage);
    write(device, buffer, data);
    return buffer;
  };
  const out = {
    gpuLoad: { buffer: create(layers * gpus), bytes: 4 * layers * gpus },
    busy: { buffer: create(layers * gpus), bytes: 4 * layers * gpus },
    metrics: { buffer: create(layers * METRICS_WORDS), bytes: 4 * layers * METRICS_WORDS },
    outOfRange: { buffer: create(layers), bytes: 4 * layers },
  };
  const own = {
    params: upload(balanceParams(table, layers, assignments, 0), bufferUsage.UNIFORM),
    placement: upload(table.data),
    ids: ids ? upload(ids) : create(1),
    chunkCounts: create(ids ? layers * chunksOf(assignments) * experts : 1),
    counts: counts ? upload(counts) : create(layers * experts),
    weights: create(1), // not read
    quota: quota ? upload(quota) : create(layers * slots),
    skip: create(layers),
    gpuLoad: out.gpuLoad.buffer,
    busy: out.busy.buffer,
    metrics: out.metrics.buffer,
    outOfRange: out.outOfRange.buffer,
  };
  const bindings = Object.fromEntries(Object.entries(own).map(([name, buffer]) => [name, { buffer }]));
  const steps: [CompiledKernel, number, number][] = [];
  if (ids) steps.push([await compileCount(device, experts), chunksOf(assignments), layers]);
  if (!quota) steps.push([await compileApportion(device, true), Math.ceil(experts / LANES), layers]);
  steps.push([await compileImbalance(device), layers, 1]);

  const readback = createReadback(device, out);
  const encoder = device.createCommandEncoder({ label: "measureImbalance" });
  const pass = encoder.beginComputePass({ label: "measureImbalance" });
  for (const [kernel, x, y] of steps) {
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, bind(device, kernel, bindings));
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
  const bytes = Object.fromEntries(Object.entries(out).map(([name, part]) => [name, part.bytes]));
  readback.copy(encoder, bytes as Record<keyof typeof out, number>);
  device.queue.submit([encoder.finish()]);
  try {
    return await readback.map((words) => ({
      ...decodeImbalance(words.gpuLoad, words.busy, words.metrics, living),
      outOfRange: checked.outOfRange ?? Int32Array.from(words.outOfRange),
    }));
  } finally {
    for (const buffer of buffers) buffer.destroy();
    readback.destroy();
  }
}
