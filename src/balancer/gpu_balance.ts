import { ArgumentError } from "../common/errors.ts";
import { WORD } from "../gpu/constants.ts";
import { decodeProofs } from "../lp/kernels/proof.ts";
import { wordsOf } from "./base_load.ts";
import { CHUNK, tooLargeFor } from "./kernels/balance_params.ts";
import { decodeImbalance } from "./kernels/imbalance.ts";
import { decodeTimes } from "./kernels/time_imbalance.ts";
import type { Living } from "./living.ts";
import type { BalanceResult, CheckedBatch } from "./result.ts";
import { outputBytes, type StageOptions } from "./stage_buffers.ts";
import { createStages, STAGES, type Stages } from "./stages.ts";

/** The stages on a device. Calls must not overlap. */
export class GpuBalance {
  private constructor(
    readonly device: GPUDevice,
    private readonly options: StageOptions,
    readonly stages: Stages,
    private living: Living | undefined,
  ) {}

  /** @throws {ArgumentError | DeviceError | KernelError} The batch is too large for the device, it takes no topology like these, or refuses a kernel. */
  static async create(device: GPUDevice, options: StageOptions): Promise<GpuBalance> {
    requireRoom(device, options);
    return new GpuBalance(device, options, await createStages(device, options), options.living);
  }

  /**
   * Upload, one submit, one map.
   *
   * @throws {DeviceError} The device was lost.
   */
  balance({ ids, rank, baseLoad }: CheckedBatch, timed: boolean): Promise<BalanceResult> {
    const { layers, placements, topologies } = this.options;
    const { cost } = topologies[0];
    const { job } = this.stages;
    const { ids: own, physical, rankCounts, rankBefore, batchBaseLoad } = job.bindings;
    const told = rank && { counts: rankCounts, before: rankBefore };
    const besides = baseLoad === this.living?.baseLoad ? undefined : baseLoad; // those of the options are there already
    const buffers = { ids: own, physical, rank: told, baseLoad: besides && batchBaseLoad };
    const label = this.living?.topologies[0].label;
    const work = {
      upload: { ids, rankCounts: rank?.counts, rankBefore: rank?.before, batchBaseLoad: besides && wordsOf(besides) },
      record: (encoder: GPUCommandEncoder) => this.stages.encode(encoder, buffers, ids.length / layers, timed),
      bytes: { physical: ids.length * WORD },
      timed,
    };
    return job.run(work, (words, stageUs) => ({
      physicalIds: Int32Array.from(words.physical, (slot) => slot | 0),
      counts: rank ? rank.counts.slice() : Int32Array.from(words.counts),
      outOfRange: Int32Array.from(words.outOfRange),
      unserved: Int32Array.from(words.unserved),
      quota: Int32Array.from(words.quota),
      before: {
        ...decodeImbalance(words.gpuLoadBefore, words.busyBefore, words.metricsBefore, label?.length),
        ...(cost && decodeTimes(words.timeBefore, words.timeMetricsBefore)),
      },
      after: {
        ...decodeImbalance(words.gpuLoadAfter, words.busyAfter, words.metricsAfter, label?.length),
        ...(cost && decodeTimes(words.timeAfter, words.timeMetricsAfter)),
      },
      skipped: Uint8Array.from(words.skip),
      ...decodeProofs(words.proof, layers, placements[0].gpus, label),
      stageUs,
    }));
  }

  /** What is submitted from now on is for the GPUs that are alive. */
  async setLiving(living: Living): Promise<void> {
    await this.stages.setLiving(living);
    this.living = living;
  }

  destroy(): void {
    this.stages.destroy();
  }
}

/** A timer's: the beginning and the end of each stage, 8 bytes each. */
const TIMESTAMPS_BYTES = 16 * STAGES.length;

/** Beyond a device's limits WebGPU makes invalid buffers, of which only zeros are read: so they are checked first. */
function requireRoom({ limits }: GPUDevice, options: StageOptions): void {
  const { placements, layers, maxAssignments } = options;
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension: workgroups } = limits;
  const { physical: ids, ...others } = outputBytes(options);
  const besides = Object.values(others).reduce((a, b) => a + b, TIMESTAMPS_BYTES);
  const tooLarge = tooLargeFor(limits, placements, layers, maxAssignments, besides / layers / WORD);
  if (tooLarge) throw tooLarge;
  const room = Math.min(maxStorageBufferBindingSize, maxBufferSize - besides, layers * workgroups * CHUNK * WORD);
  if (ids <= room) return;
  const most = Math.floor((room / ids) * maxAssignments);
  const remedy = `Bring a device with a larger maxStorageBufferBindingSize and maxBufferSize, or use backend "cpu".`;
  throw new ArgumentError("maxTokens * topK", `at most ${most} on this device`, maxAssignments, remedy);
}
