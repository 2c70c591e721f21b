import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/shares.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { LANES } from "./balance_params.ts";

export const sharesKernel = {
  name: "shares",
  wgsl,
  includes: [balance],
  bindings: {
    placement: "read-only-storage",
    counts: "read-only-storage",
    quota: "read-only-storage",
    shares: "storage",
    params: "uniform",
  },
} satisfies Kernel;

export function compileShares(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, sharesKernel, {}, { WG: LANES });
}
