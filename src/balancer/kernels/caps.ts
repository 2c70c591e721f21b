import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/caps.wgsl";
import u64 from "../../../shaders/common/u64.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { LANES } from "./balance_params.ts";

export const capsKernel = {
  name: "caps",
  wgsl,
  includes: [balance, u64],
  bindings: {
    placement: "read-only-storage",
    load: "read-only-storage",
    base: "read-only-storage",
    pace: "read-only-storage",
    cap: "storage",
    params: "uniform",
  },
} satisfies Kernel;

export function compileCaps(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, capsKernel, {}, { WG: LANES });
}
