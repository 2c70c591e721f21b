import record from "../../../shaders/lp/source_record.wgsl";
import wgsl from "../../../shaders/lp/traffic.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import type { SourceTable } from "./source_table.ts";

export const trafficKernel = {
  name: "traffic",
  wgsl,
  includes: [record],
  bindings: {
    table: "read-only-storage",
    sourceLoad: "read-only-storage",
    cap: "read-only-storage",
    skip: "read-only-storage",
    flow: "storage",
    quota: "storage",
    sourceQuota: "storage",
    proof: "storage",
    params: "uniform",
  },
} satisfies Kernel;

const WORKGROUP = 64;

/** Paths of an LP: some hundred at 64 GPUs. Beyond, quotas stay as they were, with a bound. */
const MOST_PATHS = 4096;

const roundUp = (value: number, unit: number) => unit * Math.ceil(value / unit);

/** Of the kernel's arrays: the table's sizes rounded up, so that shapes share pipelines. */
const arraySizes = ({ gpus, exchanges, replicas }: SourceTable) => ({
  GPUS: roundUp(gpus, 32),
  EXCHANGES: roundUp(exchanges, 128),
  REPLICAS: roundUp(replicas, 128),
});

/** Bytes of workgroup memory. */
export function trafficBytes(table: SourceTable): number {
  const { GPUS, EXCHANGES, REPLICAS } = arraySizes(table);
  return 24 * GPUS + 4 * EXCHANGES + 4 * REPLICAS + 24;
}

/** Why it does not take such topologies on this device; undefined where it does. */
export function trafficRefuses({ limits }: GPUDevice, table: SourceTable): string | undefined {
  const [bytes, room] = [trafficBytes(table), limits.maxComputeWorkgroupStorageSize];
  return bytes > room ? `it needs ${bytes} bytes of workgroup memory, of ${room} here` : undefined;
}

export function compileTraffic(device: GPUDevice, table: SourceTable, paths = MOST_PATHS): Promise<CompiledKernel> {
  return compile(device, trafficKernel, {}, { ...arraySizes(table), WG: WORKGROUP, PATHS: paths });
}

/** i32 words of an LP's proof: paths, or -1 where it gave up, and the potentials in steps. */
export const trafficProofWords = ({ gpus }: SourceTable) => 1 + gpus;
