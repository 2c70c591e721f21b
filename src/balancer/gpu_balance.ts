import { ArgumentError, type DeviceError } from "../common/errors.ts";
import { write } from "../gpu/buffers.ts";
import { bufferUsage } from "../gpu/constants.ts";
import { lossError, watchLoss } from "../gpu/loss.ts";
import { createReadback } from "../gpu/readback.ts";
import { decodeProofs } from "../lp/kernels/lane.ts";
import { proofWords } from "../lp/kernels/topology_table.ts";
import { CHUNK, tooLargeFor } from "./kernels/balance_params.ts";
import { decodeImbalance, METRICS_WORDS } from "./kernels/imbalance.ts";
import type { Living } from "./living.ts";
import type { BalanceResult } from "./result.ts";
import { createStages, STAGES, type StageOptions, type Stages } from "./stages.ts";

export interface GpuBalance {
  readonly device: GPUDevice;
  readonly stages: Stages;
  /** Upload, one submit, one map. `rank` as in RankCounts, checked. Calls must not overlap. */
  balance(ids: Int32Array | Uint32Array, rank: CheckedRank | undefined, timed: boolean): Promise<BalanceResult>;
  /** What is submitted from now on is for the GPUs that are alive. */
  setLiving(living: Living): void;
  /** The device was lost, and why. */
  lost(): GPUDeviceLostInfo | undefined;
  destroy(): void;
}

/** [L, E] each. */
export interface CheckedRank {
  counts: Int32Array<ArrayBuffer>;
  before: Int32Array<ArrayBuffer>;
}

const WORD = 4;
/** A timer's: the beginning and the end of each stage, 8 bytes each. */
const TIMESTAMPS_BYTES = 16 * STAGES.length;

export async function gpuBalance(device: GPUDevice, options: StageOptions): Promise<GpuBalance> {
  const { layers, maxAssignments, placements } = options;
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const lost = watchLoss(device);
  const bytes = {
    physical: layers * maxAssignments * WORD,
    outOfRange: layers * WORD,
    unserved: layers * WORD,
    quota: layers * slots * WORD,
    gpuLoadBefore: layers * gpus * WORD,
    busyBefore: layers * gpus * WORD,
    metricsBefore: layers * METRICS_WORDS * WORD,
    gpuLoadAfter: layers * gpus * WORD,
    busyAfter: layers * gpus * WORD,
    metricsAfter: layers * METRICS_WORDS * WORD,
    skip: layers * WORD,
    proof: layers * proofWords(gpus) * WORD,
    counts: layers * experts * WORD,
  };
  requireRoom(device, options, bytes);
  const stages = await createStages(device, options);
  const { own, timer } = stages;
  const timestamps = timer ? { timestamps: { buffer: timer.buffer, bytes: timer.bytes } } : {};
  const sources = Object.fromEntries(
    Object.entries(bytes).map(([name, size]) => [name, { buffer: own[name as keyof typeof bytes], bytes: size }]),
  );
  type Name = keyof typeof bytes | "timestamps";
  // Timestamps first: they want 8-byte alignment.
  const readback = createReadback<Name>(device, { ...timestamps, ...sources } as Record<
    Name,
    { buffer: GPUBuffer; bytes: number }
  >);

  const rankUsage = bufferUsage.STORAGE | bufferUsage.COPY_DST;
  const rankBuffer = (label: string) =>
    device.createBuffer({ label: `balancer rank ${label}`, size: Math.max(16, bytes.counts), usage: rankUsage });
  let living = options.living;
  let rankBuffers: { counts: GPUBuffer; before: GPUBuffer } | undefined;

  async function balance(
    ids: Int32Array | Uint32Array,
    rank: CheckedRank | undefined,
    timed: boolean,
  ): Promise<BalanceResult> {
    const assignments = ids.length / layers;
    write(device, own.ids, ids);
    if (rank) {
      rankBuffers ??= { counts: rankBuffer("counts"), before: rankBuffer("before") };
      device.queue.writeBuffer(rankBuffers.counts, 0, rank.counts);
      device.queue.writeBuffer(rankBuffers.before, 0, rank.before);
    }
    const encoder = device.createCommandEncoder({ label: "balancer" });
    const buffers = {
      ids: { buffer: own.ids },
      physical: { buffer: own.physical },
      rank: rank && rankBuffers && { counts: { buffer: rankBuffers.counts }, before: { buffer: rankBuffers.before } },
    };
    stages.encode(encoder, buffers, assignments, timed);
    const measured = timed && timer !== undefined;
    const label = living?.topologies[0].label;
    readback.copy(encoder, { ...bytes, physical: ids.length * WORD, timestamps: measured ? timer.bytes : 0 });
    device.queue.submit([encoder.finish()]);
    return readback.map((words) => ({
      physicalIds: Int32Array.from(words.physical, (slot) => slot | 0),
      counts: rank ? rank.counts.slice() : Int32Array.from(words.counts),
      outOfRange: Int32Array.from(words.outOfRange),
      unserved: Int32Array.from(words.unserved),
      quota: Int32Array.from(words.quota),
      before: decodeImbalance(words.gpuLoadBefore, words.busyBefore, words.metricsBefore, label?.length),
      after: decodeImbalance(words.gpuLoadAfter, words.busyAfter, words.metricsAfter, label?.length),
      skipped: Uint8Array.from(words.skip),
      ...decodeProofs(words.proof, layers, gpus, label),
      stageUs: measured ? timer.decode(words.timestamps.slice().buffer) : undefined,
    }));
  }

  function destroy(): void {
    stages.destroy();
    readback.destroy();
    rankBuffers?.counts.destroy();
    rankBuffers?.before.destroy();
  }
  function setLiving(next: Living): void {
    living = next;
    stages.setLiving(next);
  }
  return { device, stages, balance, setLiving, lost, destroy };
}

/** Beyond a device's limits WebGPU makes invalid buffers, of which only zeros are read: so they are checked first. */
function requireRoom(
  { limits }: GPUDevice,
  { placements, layers, maxAssignments }: StageOptions,
  bytes: Readonly<Record<string, number>>,
): void {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension: workgroups } = limits;
  const ids = bytes.physical;
  const besides = Object.values(bytes).reduce((a, b) => a + b, TIMESTAMPS_BYTES) - ids;
  const tooLarge = tooLargeFor(limits, placements, layers, maxAssignments, besides / layers / WORD);
  if (tooLarge) throw tooLarge;
  const room = Math.min(maxStorageBufferBindingSize, maxBufferSize - besides, layers * workgroups * CHUNK * WORD);
  if (ids <= room) return;
  const most = Math.floor((room / ids) * maxAssignments);
  const remedy = `Bring a device with a larger maxStorageBufferBindingSize and maxBufferSize, or use backend "cpu".`;
  throw new ArgumentError("maxTokens * topK", `at most ${most} on this device`, maxAssignments, remedy);
}

export function lostDeviceError(info: GPUDeviceLostInfo, cause?: unknown): DeviceError {
  return lossError(info, "Make a new balancer, or one with recover: true.", cause);
}
