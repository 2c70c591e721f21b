import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/source_starts.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { LANES } from "./balance_params.ts";

export const sourceStartsKernel = {
  name: "source_starts",
  wgsl,
  includes: [balance],
  bindings: { bySource: "read-only-storage", start: "storage", counts: "storage", params: "uniform" },
} satisfies Kernel;

export function compileSourceStarts(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, sourceStartsKernel, {}, { WG: LANES });
}
