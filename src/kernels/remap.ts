import balance from "../../shaders/common/balance.wgsl";
import wgsl from "../../shaders/remap.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../gpu/pipeline.ts";
import { CHUNK } from "./balance_params.ts";

export const remapKernel = {
  name: "remap",
  wgsl,
  includes: [balance],
  bindings: {
    placement: "read-only-storage",
    ids: "read-only-storage",
    offsets: "read-only-storage",
    quota: "read-only-storage",
    physical: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Wide blocks where the bit masks of all experts fit the 16 KB of workgroup memory that every adapter has, narrow ones beyond. */
function workgroupFor(experts: number): number {
  return experts <= 256 ? 256 : 64;
}

export function compileRemap(device: GPUDevice, experts: number): Promise<CompiledKernel> {
  const workgroup = workgroupFor(experts);
  return compile(device, remapKernel, {}, { EXPERTS: experts, CHUNK, WG: workgroup, WORDS: workgroup / 32 });
}
