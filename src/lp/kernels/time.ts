import curveTable from "../../../shaders/common/curve_table.wgsl";
import u64 from "../../../shaders/common/u64.wgsl";
import costCurve from "../../../shaders/lp/cost_curve.wgsl";
import descent from "../../../shaders/lp/descent.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import wgsl from "../../../shaders/lp/time.wgsl";
import tokenTime from "../../../shaders/lp/token_time.wgsl";
import record from "../../../shaders/lp/topology_record.wgsl";
import unitFlow from "../../../shaders/lp/unit_flow.wgsl";
import writeProof from "../../../shaders/lp/write_proof.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { costTable } from "./cost_table.ts";
import { lanesPerWorkgroup } from "./lane.ts";
import { type TopologyTable, topologyTable } from "./topology_table.ts";
import type { Variant } from "./variant.ts";

/** @internal */
export const timeKernel = {
  name: "time",
  wgsl,
  includes: [params, record, curveTable, costCurve, unitFlow, descent, writeProof, tokenTime, u64],
  bindings: {
    topology: "read-only-storage",
    load: "read-only-storage",
    base: "read-only-storage",
    skip: "read-only-storage",
    curve: "read-only-storage",
    quota: "storage",
    proof: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** @internal */
export function compileTime(
  device: GPUDevice,
  { maxGpus, maxReplicas }: TopologyTable,
  equalSpeeds: boolean,
): Promise<CompiledKernel> {
  const shape = { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas };
  return compile(device, timeKernel, shape, { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: lanesPerWorkgroup(device) });
}

/** WGSL's arrays end there: five splits are kept of each LP. */
const MAX_REPLICAS = 8192;

/** For topologies with a cost, and for no others. */
export const time: Variant = {
  name: "time",
  refuses(_, topologies) {
    const replicas = Math.max(...topologies.map(({ replicaGpu }) => replicaGpu.length));
    return replicas > MAX_REPLICAS ? `it takes at most ${MAX_REPLICAS} slots` : undefined;
  },
  async compile(device, topologies) {
    const table = topologyTable(topologies);
    const equalSpeeds = topologies.every((topology) => topology.equalSpeeds);
    return {
      compiled: await compileTime(device, table, equalSpeeds),
      lpsPerWorkgroup: lanesPerWorkgroup(device),
      sizes: table,
      table: { name: "topology", data: table.data },
      curve: costTable(topologies[0].cost!),
      tableOf: (living) => topologyTable(living, table).data,
    };
  },
};
