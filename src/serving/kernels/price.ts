import wgsl from "../../../shaders/serving/price.wgsl";
import { type CompiledKernel, compile, foldGrid, type Kernel } from "../../gpu/pipeline.ts";
import type { BoundPrices } from "../bound/bound_options.ts";
import type { TimedRequests } from "../bound/timed_requests.ts";

export const priceKernel = {
  name: "price",
  wgsl,
  includes: [],
  bindings: {
    requests: "read-only-storage",
    prices: "read-only-storage",
    start: "storage",
    change: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Requests wait for the longest search of their workgroup only. */
const WORKGROUP = 32;

export function compilePrice(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, priceKernel, {}, { WG: WORKGROUP });
}

/** The kernel's `requests`. */
export function packedRequests({ requests, arrival, input, output }: TimedRequests): Uint32Array {
  const packed = new Uint32Array(4 * requests);
  for (let i = 0; i < requests; i++) packed.set([arrival[i], input[i], output[i]], 4 * i);
  return packed;
}

/** The kernel's `prices`: its last row, beyond the horizon, stays as it is, 0. */
export function packPrices({ kv, slot }: BoundPrices, packed: Float32Array): void {
  for (let t = 0; t < kv.length; t++) {
    packed[2 * t] = kv[t];
    packed[2 * t + 1] = slot ? slot[t] : 0;
  }
}

export function priceGrid(device: GPUDevice, requests: number): [number, number] {
  return foldGrid(device, Math.ceil(requests / WORKGROUP));
}
