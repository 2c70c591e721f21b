import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/imbalance.wgsl";
import u64 from "../../../shaders/common/u64.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import type { TrafficReport } from "../traffic_report.ts";
import type { TimeReport } from "./time_imbalance.ts";

export const imbalanceKernel = {
  name: "imbalance",
  wgsl,
  includes: [balance, u64],
  bindings: {
    placement: "read-only-storage",
    quota: "read-only-storage",
    base: "read-only-storage",
    gpuLoad: "storage",
    busy: "storage",
    metrics: "storage",
    skip: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** u32 words of a layer's metrics. */
export const METRICS_WORDS = 9;

const WORKGROUP = 64;

/** @internal */
export function compileImbalance(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, imbalanceKernel, {}, { WG: WORKGROUP });
}

/**
 * Load per GPU and what follows from it, for L layers. All of it counts tokens, whatever the GPUs' speeds: where these differ, the split that
 * is done first is not the one of least imbalance.
 */
export interface ImbalanceReport extends Partial<TimeReport> {
  /** [L, G] tokens per GPU, a balancer's base loads included; 0 on dead ones, which none of the others counts. */
  gpuLoad: Int32Array;
  /** [L] largest load. */
  max: Int32Array;
  /** [L] */
  mean: Float64Array;
  /** [L] max / mean, >= 1; 1 for a layer without load. */
  imbalance: Float64Array;
  /** [L] mean / max, <= 1. */
  balancedness: Float64Array;
  /** [L] sum over GPUs of max - load: with equal speeds, tokens that could have been served while the GPUs waited. */
  idleTokens: Float64Array;
  /** [L] coefficient of variation: standard deviation over the GPUs / mean. */
  variation: Float64Array;
  /** [L] the GPU with the largest load, the first of equals. */
  hottestGpu: Int32Array;
  /** [L, G] slots that have tokens: the experts whose weights the GPU must read, which is what bounds memory-bound decode. */
  activeExperts: Int32Array;
  /** [L] */
  maxActiveExperts: Int32Array;
  /** Where distances are known: where assignments went from their sources. */
  traffic?: TrafficReport;
}

/**
 * Reads what the kernel wrote: gpuLoad and busy [L, G], metrics [L, METRICS_WORDS]. The arrays are copied.
 *
 * @param living  How many GPUs are alive; all are, if undefined.
 */
export function decodeImbalance(
  gpuLoad: Uint32Array,
  busy: Uint32Array,
  metrics: Uint32Array,
  living?: number,
): ImbalanceReport {
  const layers = metrics.length / METRICS_WORDS;
  const gpus = living ?? gpuLoad.length / layers;
  const asFloats = new Float32Array(metrics.buffer, metrics.byteOffset, metrics.length);
  const column = (word: number) => Int32Array.from({ length: layers }, (_, l) => metrics[l * METRICS_WORDS + word]);
  const ratio = (word: number) => Float64Array.from({ length: layers }, (_, l) => asFloats[l * METRICS_WORDS + word]);
  const [idleLow, idleHigh] = [4, 5].map((word) => (l: number) => metrics[l * METRICS_WORDS + word]);
  return {
    gpuLoad: Int32Array.from(gpuLoad),
    max: column(0),
    mean: Float64Array.from(column(1), (sum) => sum / gpus),
    imbalance: ratio(6),
    balancedness: ratio(7),
    idleTokens: Float64Array.from({ length: layers }, (_, l) => idleHigh(l) * 2 ** 32 + idleLow(l)),
    variation: ratio(8),
    hottestGpu: column(2),
    activeExperts: Int32Array.from(busy),
    maxActiveExperts: column(3),
  };
}
