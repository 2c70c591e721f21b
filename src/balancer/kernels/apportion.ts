import wgsl from "../../../shaders/balancer/apportion.wgsl";
import balance from "../../../shaders/balancer/balance.wgsl";
import u64 from "../../../shaders/common/u64.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { LANES } from "./balance_params.ts";

export const apportionKernel = {
  name: "apportion",
  wgsl,
  includes: [balance, u64],
  bindings: {
    placement: "read-only-storage",
    counts: "read-only-storage",
    weights: "read-only-storage",
    quota: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** `even`: weights are not read. */
export function compileApportion(device: GPUDevice, even: boolean): Promise<CompiledKernel> {
  return compile(device, apportionKernel, {}, { EVEN: even ? 1 : 0, WG: LANES });
}
