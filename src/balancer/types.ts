import type { Rows } from "../common/numbers.ts";
import type { AdapterChoice } from "../gpu/device.ts";
import type { BufferSlice, GPUDeviceLike } from "../gpu/types.ts";
import type { ReplicaProblem, Speed } from "../lp/problem.ts";
import type { BackendName, ReplicaSolution } from "../lp/solution.ts";
import type { backends } from "../lp/solver_options.ts";
import type { Costed } from "../lp/time/expert_cost.ts";
import type { Activity } from "../placement/active.ts";
import type { Distanced } from "../placement/distance.ts";
import type { Placement, PlacementLike } from "../placement/placement.ts";
import type { ImbalanceReport } from "./kernels/imbalance.ts";

export const balancerKernels = ["auto", "simd"] as const;

export interface BalancerOptions extends Speed, Activity, Costed, Distanced {
  /**
   * One placement for every layer, or one per layer, all of the same gpus, logicalExperts and physicalExperts; slotsPerGpu may differ.
   */
  placement: PlacementLike | readonly PlacementLike[];
  /** k: experts per token. */
  topK: number;
  /** The most tokens T of a call. Buffers are allocated for them. */
  maxTokens: number;
  /** L; by default the number of placements. */
  layers?: number;
  /**
   * "webgpu": the kernel, or a DeviceError. "cpu": the exact solver. "auto" (default): WebGPU on the caller's device or a hardware adapter, else
   * the CPU; unlike a solver's, settled when the balancer is made, see `Balancer.plan`.
   */
  backend?: (typeof backends)[number];
  /**
   * "simd": where the CPU solves, by WebAssembly programs made now for every layer, several times as fast; the exact solver where there can be
   * none, `Balancer.plan` says why. Of equal optima it may pick another than the exact solver: ranks must choose alike, on machines alike.
   * "auto" by default: the exact solver on the CPU; on WebGPU as the placements ask, whatever is chosen here.
   */
  kernel?: (typeof balancerKernels)[number];
  /** The caller's device: `encode` works on its buffers. Never destroyed. */
  device?: GPUDeviceLike;
  /** Which adapters may be taken where the caller brings no device. */
  adapter?: AdapterChoice;
  /**
   * [G] for every layer, or [L, G]: tokens of each GPU besides its experts (shared experts, attention), whole and >= 0, none by default; with a layer's
   * counts below 2^31 in all. A fixed time a_g is speed_g a_g tokens. With a cost it is in its time, finite and >= 0. Of dead GPUs not read. A copy is kept.
   */
  baseLoad?: Rows;
  /** Layers whose imbalance (of tokens and base loads, speeds aside; with a cost, of time) under the even split is already below this keep it; 0 (none) by default. */
  skipBelow?: number;
  /**
   * One step late: a batch is remapped by the previous batch's solution, scaled to this batch's counts, and its own solution serves
   * the next. Nothing waits for the solve. Quotas are met exactly all the same, but are optimal only as far as batches are alike.
   */
  late?: boolean;
  /**
   * After the device is lost: get another, or go on on the CPU. The pending call still rejects. false by default. Other ranks are not told:
   * `plan` and `device` say what this one works on now.
   */
  recover?: boolean;
  /** Measure the GPU time of each stage in `balance`, in passes of their own, where the device has timestamps; false by default. */
  timestamps?: boolean;
}

/** For one of several ranks that balance together: what the others have, in tokens, flat or in rows. */
export interface RankCounts {
  /** [L, E] the counts of all ranks added up. */
  counts: Rows;
  /** [L, E] the counts of the ranks before this one added up. */
  before: Rows;
  /** With distances, this rank's number: the row of the distances that is its own, */
  rank?: number;
  /** [L, S, E] and the counts of each rank, from which counts and before follow: they need not be given. */
  bySource?: Rows;
}

/**
 * What is said of a batch besides its ids. `counts` and `before` both or neither, with distances `rank` and `bySource`: without them this rank is the
 * only one, and with distances its tokens are dealt to the sources in order: token t of T is of source floor(t S / T).
 */
export interface RankLoads extends Partial<RankCounts> {
  /** For this batch in place of the option, as there. The same on all ranks. */
  baseLoad?: Rows;
}

/** "optimal" or "gap" as for a solution; "skipped": even split kept; "late": the previous batch's solution, scaled. */
export type LayerStatus = "optimal" | "gap" | "skipped" | "late";

/** What `balance` answers. Arrays are the caller's to keep. */
export interface Balanced {
  /** [L, T, k] physical slot of each assignment; -1 where the id was -1, out of range, or of a lost expert. */
  physicalIds: Int32Array;
  /** [L, E] tokens per expert, of all ranks. */
  counts: Int32Array;
  /** [L, P] tokens per slot, of all ranks; 0 on dead GPUs and in empty slots. */
  quota: Int32Array;
  /** Under the even split. */
  before: ImbalanceReport;
  /** Under `quota`. */
  after: ImbalanceReport;
  /** [L] */
  status: LayerStatus[];
  /** [L, S, P] with distances: tokens of each source per slot, which over the sources add up to quota. */
  sourceQuota?: Int32Array;
  /** [L] with distances: sum of distance * assignments, of all ranks. */
  traffic?: Float64Array;
  /** [L] with distances: no split whose GPUs hold no more than the fullest one here has less. Of late and skipped layers what nearness alone proves. */
  trafficBound?: Float64Array;
  /** [L] with a cost: no split of the layer is done sooner. */
  timeBound?: Float64Array;
  /** [L] with a cost: (maxTime - timeBound) / maxTime, of late and skipped layers, too. */
  timeGap?: Float64Array;
  /** [L] ids that were neither an expert nor -1. */
  outOfRange: Int32Array;
  /** [L] experts without a slot on a living GPU, ascending. */
  lost: number[][];
  /** [L] this rank's ids of those experts: answered -1, and not in `outOfRange`. */
  unserved: Int32Array;
  backend: BackendName;
  /**
   * Problem and solution of one layer, for `certify`. Of skipped and late layers it proves the gap.
   *
   * @throws {ArgumentError} There is no such layer.
   */
  proof(layer: number): {
    problem: ReplicaProblem & { placement: Placement; expertLoad: Int32Array };
    solution: ReplicaSolution;
  };
  /**
   * [L, E, X] quotas as fractions of each expert's tokens, X = the most slots of any expert, in the order of `logicalToPhysical`; even over its living
   * slots where it has none. 0 for dead slots.
   */
  shares(): Float32Array;
}

/**
 * The caller's buffers for `encode`, on the balancer's device, usage STORAGE, 32-bit words, row-major without gaps. An offset must be a
 * multiple of the device's minStorageBufferOffsetAlignment.
 */
export interface BalancerBuffers {
  /** T <= maxTokens. */
  tokens: number;
  /** [L, T, k] i32 or u32, read. */
  topkIds: BufferSlice;
  /** [L, T, k] i32, written. Not of the buffer that topkIds is of. */
  physicalIds: BufferSlice;
  /**
   * Several ranks, see RankCounts; u32, read. counts and before [L, E]; with distances this rank's number and bySource [L, S, E]. Not checked: a layer's
   * counts must add up to less than 2^31, and a rank's own must be those of its ids.
   */
  rankCounts?: { counts: BufferSlice; before: BufferSlice } | { rank: number; bySource: BufferSlice };
  /**
   * [L, G] i32, with a cost f32 in its time, read, in place of the option. Not of the buffer that physicalIds or shares is of. Not checked: >= 0, and with a layer's counts below
   * 2^31 in all. Of dead GPUs not read. The same on all ranks.
   */
  baseLoad?: BufferSlice;
  /** [L, P] i32, written, where wanted. Copied to; usage COPY_DST. */
  quota?: BufferSlice;
  /** [L, S, P] i32, written, where wanted and distances were given. Copied to; usage COPY_DST. */
  sourceQuota?: BufferSlice;
  /** [L, E, X] f32, written, where wanted. Not of the buffer that rankCounts.counts is of. */
  shares?: BufferSlice;
  /** [L] u32, written, where wanted: ids that were neither an expert nor -1. Copied to; usage COPY_DST. */
  outOfRange?: BufferSlice;
  /** [L] u32, written, where wanted: ids of lost experts, see `Balanced`. Copied to; usage COPY_DST. */
  unserved?: BufferSlice;
  /**
   * [L, 3 + ceil(G / 32)] u32, written, where wanted: status (0 optimal, 1 gap), iterations, moves, bottleneck set as bits; of skipped layers
   * what an earlier batch left. Copied to; usage COPY_DST. A gap, possible with unequal speeds, is not closed as `balance` closes it. With a cost "optimal" is written only where it
   * comes in whole units, or no expert costs more than the least.
   */
  proof?: BufferSlice;
}
