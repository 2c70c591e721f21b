import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/count_sources.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { CHUNK, LANES } from "./balance_params.ts";

export const countSourcesKernel = {
  name: "count_sources",
  wgsl,
  includes: [balance],
  bindings: { ids: "read-only-storage", bySource: "storage", params: "uniform" },
} satisfies Kernel;

export function compileCountSources(device: GPUDevice): Promise<CompiledKernel> {
  return compile(device, countSourcesKernel, {}, { CHUNK, WG: LANES });
}
