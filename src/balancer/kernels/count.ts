import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/count.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { CHUNK } from "./balance_params.ts";

export const countKernel = {
  name: "count",
  wgsl,
  includes: [balance],
  bindings: {
    ids: "read-only-storage",
    chunkCounts: "storage",
    counts: "storage",
    outOfRange: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Few lanes with many ids each: a barrier costs the more the more lanes wait. */
const WORKGROUP = 64;

export function compileCount(device: GPUDevice, experts: number): Promise<CompiledKernel> {
  return compile(device, countKernel, {}, { EXPERTS: experts, CHUNK, WG: WORKGROUP });
}
