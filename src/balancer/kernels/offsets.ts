import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/offsets.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { LANES } from "./balance_params.ts";

export const offsetsKernel = {
  name: "offsets",
  wgsl,
  includes: [balance],
  bindings: { before: "read-only-storage", chunkCounts: "storage", params: "uniform" },
} satisfies Kernel;

export function compileOffsets(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, offsetsKernel, {}, { WG: LANES });
}
