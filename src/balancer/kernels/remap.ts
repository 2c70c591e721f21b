import balance from "../../../shaders/balancer/balance.wgsl";
import wgsl from "../../../shaders/balancer/remap.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
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
    start: "read-only-storage",
    physical: "storage",
    unserved: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Few lanes with several ids each: a barrier costs the more the more lanes wait. */
const WORKGROUP = 64;

/** Wide blocks where the bit masks of all experts fit the 16 KB of workgroup memory that every adapter has, narrow ones beyond. */
function wordsFor(experts: number): number {
  return experts <= 256 ? 8 : 2;
}

/** @param bySource  Whether each source has quotas of its own. */
export function compileRemap(device: GPUDevice, experts: number, bySource = false): Promise<CompiledKernel> {
  const overrides = { EXPERTS: experts, CHUNK, WG: WORKGROUP, WORDS: wordsFor(experts), BY_SOURCE: Number(bySource) };
  return compile(device, remapKernel, {}, overrides);
}
