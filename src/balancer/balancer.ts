import { ArgumentError, DeviceError, whyNotWebgpu } from "../common/errors.ts";
import { requireAlive } from "../gpu/buffers.ts";
import { encoderOf, requireOwnEncoder } from "../gpu/origin.ts";
import type { GPUCommandEncoderLike, NativeGPUDevice } from "../gpu/types.ts";
import { acquireDevice } from "../lp/device_choice.ts";
import type { KernelPlan } from "../lp/kernels/choices.ts";
import type { BackendName } from "../lp/solution.ts";
import { type Active, requireActive } from "../placement/active.ts";
import { type BaseLoad, readBaseLoad, requireTotals } from "./base_load.ts";
import { bindingsOf } from "./caller_buffers.ts";
import { CpuBalance } from "./cpu_balance.ts";
import { GpuBalance } from "./gpu_balance.ts";
import { livingOf } from "./living.ts";
import { type BalancerMetrics, createMetrics } from "./metrics.ts";
import { type CheckedOptions, checkBatch, checkIds, checkOptions, countOf, type GivenBatch } from "./options.ts";
import { judgeBalance } from "./result.ts";
import type { TopkIds } from "./topk_ids.ts";
import type { Balanced, BalancerBuffers, BalancerOptions, RankLoads } from "./types.ts";

/** Top-k expert ids in, physical slot ids out, so that the most loaded GPU is as light as it can be. */
export interface Balancer {
  /**
   * Balances a batch: upload, one submit, one readback. Slot p of layer l receives exactly quota[l, p] of the batch's assignments, in order
   * of their position. Overlapping calls wait for each other.
   *
   * @param topkIds  [L, T, k], T <= maxTokens; -1 is padding; ids out of range are counted, left -1, and take no part. Read only.
   * @param rank  where several ranks balance together: then quotas are for all of them, and the union of their ids meets the quotas. And the base loads
   *   of this batch, where they are not the option's.
   * @throws {ShapeError | ArgumentError | LoadError} The ids, counts or base loads are not as they should be.
   * @throws {DeviceError} The device was lost. With `recover` the next call works again.
   */
  balance(topkIds: TopkIds, rank?: RankLoads): Promise<Balanced>;
  /**
   * Records the same for buffers on the GPU into the caller's encoder: no submit, no map, no compilation, and no allocation but a small
   * uniform buffer for a T, and bind groups for buffers, not seen before. Results are there when the caller's submit is done. The encodings
   * of one balancer share its buffers: submit them in the order they were recorded.
   *
   * @throws {ArgumentError} A buffer is too small, misaligned or lacks a usage, or the encoder is known to be of another device, as those of
   *   `requestDevice` are; it is named.  @throws {DeviceError} There is no device, or it was lost.
   */
  encode(encoder: GPUCommandEncoderLike, buffers: BalancerBuffers): void;
  /**
   * Checks buffers as `encode` does, and that they are alive and of the balancer's device, which WebGPU tells at a submit: so this submits. For
   * once, when the buffers are made.
   *
   * @param encoder  an empty one, made as those for `encode` will be, and used up: whether it is of the balancer's device.
   * @throws {ArgumentError} names the buffer, or the encoder.
   */
  checkBuffers(buffers: BalancerBuffers, encoder?: GPUCommandEncoderLike): Promise<void>;
  /**
   * Says which GPUs are alive, for what is submitted after it resolves: nothing is sent to the others, and the rest is balanced over what is left, with
   * the same buffers and pipelines, so at once; beyond 32 GPUs another pipeline may have to be compiled, if the first has no room. Calls under way are answered for the GPUs before. A device of the caller's that was lost is not
   * meant: that is `recover`'s. Several ranks say it before the same batch.
   *
   * @param active  [gpus] true or 1: alive; false or 0: gets nothing. Read, never kept.
   * @throws {ArgumentError | ShapeError} It is not that, or no GPU is alive.  @throws {LoadError} The options' base load of one that is alive again is
   *   not as it should be.  @throws {DeviceError} The balancer was destroyed.
   */
  setActive(active: Active): Promise<void>;
  /** [L, E] tokens per expert of ids [L, T, k]: what ranks exchange before they balance together. */
  count(topkIds: TopkIds): Int32Array;
  /** What the balancer has done so far, `encode` not included. A copy. */
  metrics(): BalancerMetrics;
  readonly backend: BackendName;
  /** Why this backend. */
  readonly reason: string;
  /**
   * What solves, and why: on WebGPU lane, or group for more GPUs than that takes; or the CPU, with simd where that was chosen. Settled when the balancer is made and, unlike a solver's, never changed by what it meets:
   * ranks must agree to the token, however many batches each has seen. Only `recover`, where asked for, may change it, after a lost device.
   */
  readonly plan: KernelPlan;
  /** The device that `encode` works on; undefined on the CPU. */
  readonly device: NativeGPUDevice | undefined;
  /** Frees the GPU buffers once the calls under way are done; further ones are refused. The device stays. */
  destroy(): void;
}

/**
 * A balancer for one set of placements and a largest batch. Compiles and allocates everything now, so that calls do not.
 *
 * @throws {ArgumentError | ShapeError} An option is not as it should be.
 * @throws {DeviceError} backend is "webgpu" and there is no device.  @throws {KernelError} It is, and the device's compiler refuses a kernel.
 */
export async function createBalancer(options: BalancerOptions): Promise<Balancer> {
  const checked = checkOptions(options);
  const { gpu, reason } = await findGpu(checked);
  const balancer = new TopkBalancer(checked, gpu, reason);
  if (!gpu) await balancer.onCpu();
  return balancer;
}

/** The stages on the device that `options` come to, or why it is the CPU. */
async function findGpu(options: CheckedOptions): Promise<{ gpu: GpuBalance | undefined; reason: string }> {
  const { backend, maxTokens, topK } = options;
  const { acquired, reason } = await acquireDevice(backend, options);
  if (!acquired) return { gpu: undefined, reason };
  try {
    return { gpu: await GpuBalance.create(acquired.device, { ...options, maxAssignments: maxTokens * topK }), reason };
  } catch (error) {
    const refused = backend === "auto" ? whyNotWebgpu(error) : undefined;
    if (refused === undefined) throw error;
    return { gpu: undefined, reason: refused };
  }
}

class TopkBalancer implements Balancer {
  private readonly measured = createMetrics();
  private cpu: CpuBalance | undefined;
  private previous: Promise<unknown> = Promise.resolve();
  private destroyed = false;

  constructor(
    private options: CheckedOptions,
    private gpu: GpuBalance | undefined,
    public reason: string,
  ) {}

  get backend(): BackendName {
    return this.gpu ? "webgpu" : "cpu";
  }

  get plan(): KernelPlan {
    if (this.gpu) return { kernel: this.gpu.stages.solver.variant.name, reason: AS_DATA };
    return this.cpu && this.options.kernel === "simd" ? this.cpu.plan : { kernel: "cpu", reason: this.reason };
  }

  get device(): GPUDevice | undefined {
    return this.gpu?.device;
  }

  async balance(topkIds: TopkIds, rank?: RankLoads): Promise<Balanced> {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    // Checked and copied now, not when the turn comes: the caller may reuse its arrays at once.
    const batch = checkBatch(topkIds, rank, this.options);
    const answer = this.previous.then(() => this.balanceNow(batch));
    this.previous = answer.catch(() => {});
    return answer;
  }

  private async balanceNow(given: GivenBatch): Promise<Balanced> {
    const { options } = this;
    const batch = { ...given, baseLoad: this.baseLoadOf(given) };
    await this.replaceLostDevice();
    const result = this.gpu
      ? await this.gpu.balance(batch, options.timestamps === true)
      : await (await this.onCpu()).balance(batch);
    const { balanced, finishedOnCpu } = judgeBalance(options, batch, result, this.backend);
    this.measured.record(balanced, finishedOnCpu, result.stageUs);
    return balanced;
  }

  /** The batch's, or else the option's: of the GPUs that are alive when its turn has come. */
  private baseLoadOf({ ids, rank, baseLoad: own }: GivenBatch): BaseLoad | undefined {
    const { living, layers, baseLoad: option } = this.options;
    const baseLoad = own ? readBaseLoad(own, living.active) : living.baseLoad;
    const given = own ?? option;
    if (!given || !baseLoad) return undefined;
    const most = rank ? Infinity : ids.length / layers;
    requireTotals(given, baseLoad, most, () => rank?.counts ?? countOf(ids, this.options));
    return baseLoad;
  }

  async setActive(active: Active): Promise<void> {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    const { placements, speeds, baseLoad, cost, distance } = this.options;
    const checked = requireActive(active, placements[0].gpus);
    const applied = this.previous.then(async () => {
      const living = livingOf(placements, speeds, checked, baseLoad, cost, distance);
      await this.gpu?.setLiving(living);
      await this.cpu?.setLiving(living);
      this.options = { ...this.options, living };
    });
    this.previous = applied.catch(() => {});
    return applied;
  }

  private async replaceLostDevice(): Promise<void> {
    const lost = this.gpu?.stages.job.lost();
    if (!lost) return;
    if (!this.options.recover) throw lost;
    const { device, ...rest } = this.options; // the caller's is the one that is lost
    try {
      const { gpu, reason } = await findGpu(rest);
      this.gpu = gpu;
      this.reason = reason;
    } catch (error) {
      // None, one too small for the batch or whose compiler refuses a kernel: the CPU it is. Anything else is a fault, and the next call tries again.
      const why = error instanceof ArgumentError ? error.message : whyNotWebgpu(error);
      if (why === undefined) throw error;
      this.gpu = undefined;
      this.reason = why;
    }
    this.measured.recovered();
  }

  /** The CPU's stages, made when they are first needed. */
  async onCpu(): Promise<CpuBalance> {
    if (this.cpu) return this.cpu;
    this.cpu = new CpuBalance(this.options, this.options.skipBelow);
    if (this.options.kernel === "simd") await this.cpu.prepare();
    return this.cpu;
  }

  encode(given: GPUCommandEncoderLike, buffers: BalancerBuffers): void {
    const { device, stages } = this.requireGpu();
    const encoder = encoderOf(device, given);
    const { assignments, bindings, rank: number } = bindingsOf(device, buffers, this.options);
    const { topkIds, physicalIds, baseLoad, shares, quota, sourceQuota, outOfRange, unserved, proof } = bindings;
    const { "rankCounts.counts": counts, "rankCounts.before": before } = bindings;
    const bySource = bindings["rankCounts.bySource"];
    const rank = counts && before && { counts, before };
    const sourceRank = bySource && number !== undefined ? { bySource, rank: number } : undefined;
    const used = { ids: topkIds, physical: physicalIds, rank, sourceRank, baseLoad, shares };
    stages.encode(encoder, used, assignments, false);
    for (const [source, target] of [
      [stages.job.buffers.quota, quota],
      [stages.job.buffers.sourceQuota, sourceQuota],
      [stages.job.buffers.outOfRange, outOfRange],
      [stages.job.buffers.unserved, unserved],
      [stages.job.buffers.proof, proof],
    ] as const) {
      if (target) encoder.copyBufferToBuffer(source, 0, target.buffer, target.offset ?? 0, target.size ?? 0);
    }
  }

  async checkBuffers(buffers: BalancerBuffers, encoder?: GPUCommandEncoderLike): Promise<void> {
    const { device, stages } = this.requireGpu();
    const copied = bindingsOf(device, buffers, this.options).bindings;
    const { quota, sourceQuota, outOfRange, unserved, proof, ...bindings } = copied;
    const uses: Parameters<typeof requireAlive>[1] = {};
    for (const [name, binding] of Object.entries(bindings)) {
      if (binding)
        Object.assign(uses, { [name]: { binding, use: (e: GPUCommandEncoder) => stages.touch(e, binding) } });
    }
    for (const [name, target] of Object.entries({ quota, sourceQuota, outOfRange, unserved, proof })) {
      if (!target) continue;
      const use = (e: GPUCommandEncoder) => e.clearBuffer(target.buffer, target.offset, 0);
      Object.assign(uses, { [name]: { binding: target, use } });
    }
    await requireAlive(device, uses);
    if (encoder) await requireOwnEncoder(device, encoder);
  }

  private requireGpu(): GpuBalance {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    if (!this.gpu) throw new DeviceError(`This balancer works on the CPU: use balance, or backend "webgpu".`);
    const lost = this.gpu.stages.job.lost();
    if (lost) throw lost;
    return this.gpu;
  }

  count(topkIds: TopkIds): Int32Array {
    return countOf(checkIds(topkIds, this.options), this.options);
  }

  metrics(): BalancerMetrics {
    return this.measured.snapshot();
  }

  destroy(): void {
    this.destroyed = true;
    this.previous.then(() => this.gpu?.destroy());
  }
}

const AS_DATA = "One dispatch solves all layers, whose placements may differ, with the topology as data.";
const DESTROYED = "This balancer was destroyed. Create a new one.";
