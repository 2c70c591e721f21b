import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/time_imbalance.wgsl";
import curveTable from "../../../shaders/common/curve_table.wgsl";
import u64 from "../../../shaders/common/u64.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";

/** @internal */
export const timeImbalanceKernel = {
  name: "time_imbalance",
  wgsl,
  includes: [balance, curveTable, u64],
  bindings: {
    placement: "read-only-storage",
    quota: "read-only-storage",
    base: "read-only-storage",
    rate: "read-only-storage",
    curve: "read-only-storage",
    time: "storage",
    metrics: "storage",
    skip: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** f32 words of a layer's metrics. */
export const TIME_METRICS_WORDS = 2;

const WORKGROUP = 64;

/** @internal */
export function compileTimeImbalance(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, timeImbalanceKernel, {}, { WG: WORKGROUP });
}

/** When GPUs are done, where there is a cost, in its time. Part of an ImbalanceReport. */
export interface TimeReport {
  /** [L, G] (base load + sum over the GPU's slots of c(tokens)) / speed; 0 on dead ones. */
  time: Float64Array;
  /** [L] of the GPU that is done last. */
  maxTime: Float64Array;
  /** [L] maxTime / mean time; 1 where nothing takes any. */
  timeImbalance: Float64Array;
}

/** Reads what the kernel wrote. The arrays are copied. */
export function decodeTimes(time: Uint32Array, metrics: Uint32Array): TimeReport {
  const floats = (words: Uint32Array) => new Float32Array(words.buffer, words.byteOffset, words.length);
  const each = floats(metrics);
  const layers = metrics.length / TIME_METRICS_WORDS;
  return {
    time: Float64Array.from(floats(time)),
    maxTime: Float64Array.from({ length: layers }, (_, l) => each[TIME_METRICS_WORDS * l]),
    timeImbalance: Float64Array.from({ length: layers }, (_, l) => each[TIME_METRICS_WORDS * l + 1]),
  };
}
