import { ArgumentError, DeviceError } from "../common/errors.ts";
import { WORD } from "../gpu/constants.ts";
import { decodeProofs } from "../lp/kernels/proof.ts";
import { sourceTable } from "../lp/kernels/source_table.ts";
import { trafficRefuses } from "../lp/kernels/traffic.ts";
import { noTraffic } from "../lp/traffic/traffic_answer.ts";
import { wordsOf } from "./base_load.ts";
import { CHUNK, tooLargeFor } from "./kernels/balance_params.ts";
import { decodeImbalance } from "./kernels/imbalance.ts";
import { decodeTimes } from "./kernels/time_imbalance.ts";
import type { Living } from "./living.ts";
import type { BalanceResult, CheckedBatch } from "./result.ts";
import type { SourceSplit } from "./source_split.ts";
import { outputBytes } from "./stage_buffers.ts";
import type { StageOptions } from "./stage_options.ts";
import { createStages, STAGES, type Stages } from "./stages.ts";
import { countSources } from "./twins/count_sources.ts";

/** The stages on a device. Calls must not overlap. */
export class GpuBalance {
  private constructor(
    readonly device: GPUDevice,
    private readonly options: StageOptions,
    readonly stages: Stages,
    private living: Living | undefined,
  ) {}

  /** @throws {ArgumentError | DeviceError | KernelError} The batch is too large for the device, it takes no topology like these, or refuses a kernel. */
  static async create(device: GPUDevice, given: Omit<StageOptions, "sourceTable">): Promise<GpuBalance> {
    requireRoom(device, given);
    const table = given.distance && sourceTable(given.topologies, given.distance);
    const options = { ...given, sourceTable: table };
    const refused = table && trafficRefuses(device, table);
    if (refused) throw new DeviceError(`The kernel of traffic does not take this placement: ${refused}.`);
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
    const { ids: own, physical, rankCounts, rankBefore, rankBySource, batchBaseLoad } = job.bindings;
    const source = rank?.source;
    const told = source ? undefined : rank && { counts: rankCounts, before: rankBefore };
    const sourceRank = source && { bySource: rankBySource, rank: source.rank };
    const besides = baseLoad === this.living?.baseLoad ? undefined : baseLoad; // those of the options are there already
    const buffers = { ids: own, physical, rank: told, sourceRank, baseLoad: besides && batchBaseLoad };
    const label = this.living?.topologies[0].label;
    const work = {
      upload: {
        ids,
        ...(source ? { rankBySource: source.bySource } : { rankCounts: rank?.counts, rankBefore: rank?.before }),
        batchBaseLoad: besides && wordsOf(besides),
      },
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
      sent: this.sentOf(ids, source?.bySource, words),
    }));
  }

  /** Whose tokens fill the quotas: what follows from that is for others to judge. */
  private sentOf(
    ids: CheckedBatch["ids"],
    bySource: Int32Array | undefined,
    words: Record<"sourceQuota" | "trafficProof" | "skip", Uint32Array>,
  ): SourceSplit | undefined {
    const { layers, topK, topologies, distance } = this.options;
    const { sources } = this.stages;
    if (!distance || !sources) return undefined;
    const answer = noTraffic(layers, distance, topologies[0]);
    answer.sourceQuota.set(words.sourceQuota);
    const { gpus } = distance;
    const proof = new Int32Array(words.trafficProof.buffer, words.trafficProof.byteOffset, words.trafficProof.length);
    for (let l = 0; l < layers; l++) {
      if (words.skip[l] || !sources.choosesQuotas) continue; // what is nearest proves a bound by itself
      const steps = proof.subarray(l * (1 + gpus) + 1, (l + 1) * (1 + gpus));
      for (let g = 0; g < gpus; g++) answer.potential.gpu[l * gpus + g] = steps[g] * sources.step;
    }
    return { bySource: bySource ?? countSources(ids, layers, topologies[0].experts, topK, distance.sources), answer };
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
  const { placements, layers, maxAssignments, distance, topK } = options;
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension: workgroups } = limits;
  const { physical: ids, ...others } = outputBytes(options);
  const besides = Object.values(others).reduce((a, b) => a + b, TIMESTAMPS_BYTES);
  const tooLarge = tooLargeFor(limits, placements, layers, maxAssignments, besides / layers / WORD);
  if (tooLarge) throw tooLarge;
  const sources = distance?.sources ?? 0; // none without distances
  const perSource = Math.max(placements[0].physicalExperts, placements[0].logicalExperts) * WORD;
  if (layers * sources * perSource > maxStorageBufferBindingSize || (maxAssignments / topK) * sources >= 2 ** 32) {
    throw new ArgumentError("distance", "fewer sources, or layers, on this device", sources, `Use backend "cpu".`);
  }
  const room = Math.min(maxStorageBufferBindingSize, maxBufferSize - besides, layers * workgroups * CHUNK * WORD);
  if (ids <= room) return;
  const most = Math.floor((room / ids) * maxAssignments);
  const remedy = `Bring a device with a larger maxStorageBufferBindingSize and maxBufferSize, or use backend "cpu".`;
  throw new ArgumentError("maxTokens * topK", `at most ${most} on this device`, maxAssignments, remedy);
}
