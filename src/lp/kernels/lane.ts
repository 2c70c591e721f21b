import u64 from "../../../shaders/common/u64.wgsl";
import cutSweep from "../../../shaders/lp/cut_sweep.wgsl";
import finish from "../../../shaders/lp/finish.wgsl";
import interiorPoint from "../../../shaders/lp/interior_point.wgsl";
import wgsl from "../../../shaders/lp/lane.wgsl";
import newtonSystem from "../../../shaders/lp/newton_system.wgsl";
import scaling from "../../../shaders/lp/scaling.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import starMesh from "../../../shaders/lp/star_mesh.wgsl";
import tokenTime from "../../../shaders/lp/token_time.wgsl";
import tolerances from "../../../shaders/lp/tolerances.wgsl";
import record from "../../../shaders/lp/topology_record.wgsl";
import wholeTime from "../../../shaders/lp/whole_time.wgsl";
import writeProof from "../../../shaders/lp/write_proof.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import type { Topology } from "../topology.ts";
import { arraySizes, type TopologyTable, topologyTable } from "./topology_table.ts";
import type { Variant } from "./variant.ts";

/** @internal */
export const laneKernel = {
  name: "lane",
  wgsl,
  includes: [
    params,
    record,
    scaling,
    tolerances,
    newtonSystem,
    starMesh,
    cutSweep,
    interiorPoint,
    finish,
    wholeTime,
    tokenTime,
    u64,
    writeProof,
  ],
  bindings: {
    topology: "read-only-storage",
    load: "read-only-storage",
    base: "read-only-storage",
    skip: "read-only-storage",
    quota: "storage",
    proof: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** The largest G: the kernel's G x G / 2 matrix lives in private memory, one copy per LP. */
export const MAX_GPUS_LANE = 64;

/**
 * Of private memory for an LP. NVIDIA's driver makes no pipeline for which it would have to set 4 GiB aside, as much for every lane that a card can
 * hold at once: from 15,872 bytes on, an H100 (270,336 lanes) refuses one, and by that rule from 14,170 on a B200 (303,104).
 */
const MOST_PRIVATE_BYTES = 13_824;

/** Private memory in bytes, as the header of lane.wgsl has it. */
export function laneBytes({ maxGpus, maxReplicas }: Pick<TopologyTable, "maxGpus" | "maxReplicas">): number {
  return 2 * maxGpus ** 2 + 86 * maxGpus + 36 * maxReplicas + 48;
}

/** Why topologies of equal G are better left to *group*; undefined where they are not. */
export function tooWideForLane(topologies: readonly Topology[]): string | undefined {
  const { gpus } = topologies[0];
  if (gpus > MAX_GPUS_LANE) return `it has more than ${MAX_GPUS_LANE} GPUs`;
  const bytes = laneBytes(arraySizes(topologies));
  return bytes > MOST_PRIVATE_BYTES ? `a lane would take ${bytes} bytes of private memory` : undefined;
}

/** A warp's worth. */
const MOST_LANES = 32;
/**
 * WG where a lane has an LP: one subgroup, so that small batches spread over the cores of a GPU. SwiftShader's has 4 lanes, and it executes
 * all subgroups of a workgroup, of lanes without an LP too: among 32, one LP of the cube took nearly three times as long.
 */
export function lanesPerWorkgroup({ adapterInfo }: GPUDevice): number {
  return Math.min(MOST_LANES, adapterInfo.subgroupMaxSize || MOST_LANES);
}

/** @internal */
export function compileLane(
  device: GPUDevice,
  { maxGpus, maxReplicas }: TopologyTable,
  equalSpeeds: boolean,
): Promise<CompiledKernel> {
  const shape = { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas };
  return compile(device, laneKernel, shape, { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: lanesPerWorkgroup(device) });
}

export const lane: Variant = {
  name: "lane",
  refuses: (_, [{ gpus }]) => (gpus <= MAX_GPUS_LANE ? undefined : `it takes at most ${MAX_GPUS_LANE} GPUs`),
  async compile(device, topologies) {
    const table = topologyTable(topologies);
    const equalSpeeds = topologies.every((topology) => topology.equalSpeeds);
    return {
      compiled: await compileLane(device, table, equalSpeeds),
      lpsPerWorkgroup: lanesPerWorkgroup(device),
      sizes: table,
      table: { name: "topology", data: table.data },
      tableOf: (living) => topologyTable(living, table).data,
    };
  },
};
