import wgsl from "../../../shaders/lp/match_sources.wgsl";
import record from "../../../shaders/lp/source_record.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import type { SourceTable } from "./source_table.ts";

export const matchSourcesKernel = {
  name: "match_sources",
  wgsl,
  includes: [record],
  bindings: {
    table: "read-only-storage",
    sourceLoad: "read-only-storage",
    quota: "read-only-storage",
    sourceQuota: "storage",
    params: "uniform",
  },
} satisfies Kernel;

const WORKGROUP = 64;

export function compileMatchSources(device: GPUDevice, { copies }: SourceTable): Promise<CompiledKernel> {
  return compile(device, matchSourcesKernel, { MAX_COPIES: copies }, { WG: WORKGROUP });
}

/** Of a dispatch for `batch` LPs. */
export const matchGrid = ({ experts }: SourceTable, batch: number) =>
  [Math.ceil((experts + 1) / WORKGROUP), batch] as const;
