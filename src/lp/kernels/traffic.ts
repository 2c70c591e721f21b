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

/** Two subgroups of most GPUs: lanes enough for the sources of wide expert parallelism, and barriers that are cheap. */
const WORKGROUP = 64;

/** Paths of an LP: recorded routing takes some 20 on 16 GPUs, 60 on 320. Beyond, quotas stay as they were, with a bound. */
const MOST_PATHS = 4096;

const roundUp = (value: number, unit: number) => unit * Math.ceil(value / unit);

/** Of the kernel's arrays: the table's sizes rounded up, so that shapes share pipelines. */
const arraySizes = ({ gpus, exchanges }: SourceTable) => ({
  GPUS: roundUp(gpus, 32),
  EXCHANGES: roundUp(exchanges, 128),
});

/** Bytes of workgroup memory. */
export function trafficBytes(table: SourceTable): number {
  const { GPUS, EXCHANGES } = arraySizes(table);
  return 24 * GPUS + 4 * EXCHANGES + 4 * WORKGROUP + 8;
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
export const trafficProofWords = ({ gpus }: Pick<SourceTable, "gpus">) => 1 + gpus;
