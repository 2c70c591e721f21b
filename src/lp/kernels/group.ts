import u64 from "../../../shaders/common/u64.wgsl";
import wgsl from "../../../shaders/lp/group.wgsl";
import elimination from "../../../shaders/lp/group_elimination.wgsl";
import finish from "../../../shaders/lp/group_finish.wgsl";
import interiorPoint from "../../../shaders/lp/group_interior_point.wgsl";
import newtonSystem from "../../../shaders/lp/group_newton_system.wgsl";
import problem from "../../../shaders/lp/group_problem.wgsl";
import time from "../../../shaders/lp/group_time.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import subgroupReduce from "../../../shaders/lp/subgroup_reduce.wgsl";
import tokenTime from "../../../shaders/lp/token_time.wgsl";
import tolerances from "../../../shaders/lp/tolerances.wgsl";
import totals from "../../../shaders/lp/totals.wgsl";
import workgroupReduce from "../../../shaders/lp/workgroup_reduce.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { choosers } from "../group_form.ts";
import type { Topology } from "../topology.ts";
import { type GroupSizes, type GroupTable, groupRecordsWithin, groupTable } from "./group_table.ts";
import { laneKernel } from "./lane.ts";
import { roundUp } from "./topology_table.ts";
import type { Variant } from "./variant.ts";

/** `solve` with lanes that share an LP; the same bindings, but for the topology's record, and the same params. */
function groupBy(lanes: "workgroup" | "subgroup", reduce: string): Kernel {
  const newton = [tolerances, newtonSystem, elimination, interiorPoint];
  const includes = [params, problem, ...newton, finish, time, tokenTime, u64, totals, reduce];
  const kernel = { name: "group", wgsl, includes, bindings: laneKernel.bindings };
  // The directive shares a line with the header, so that the compiler's line numbers stay.
  return lanes === "workgroup" ? kernel : { ...kernel, wgsl: `enable subgroups; ${wgsl}`, variant: lanes };
}

// Marked as pure, so that bundlers leave the shaders out where nobody solves.
export const groupKernel = /* @__PURE__ */ groupBy("workgroup", workgroupReduce);
export const subgroupKernel = /* @__PURE__ */ groupBy("subgroup", subgroupReduce);

/** Which lanes share an LP. */
export interface GroupLanes {
  readonly kernel: "workgroup" | "subgroup";
  /** WG. */
  readonly lanes: number;
}

/** Two subgroups of most GPUs: enough lanes for the places of wide expert parallelism, few enough for cheap barriers. */
const WORKGROUP_LANES = 64;
/**
 * Subgroups where all have one size: only then is a workgroup of that size one subgroup. That is 32 lanes on NVIDIA, and 4 on SwiftShader, which
 * switches between the subgroups of a workgroup at every barrier, some ten times as slowly as it solves an LP in one.
 */
export function groupLanes(device: GPUDevice): GroupLanes {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = device.adapterInfo;
  const oneSize = device.features.has("subgroups") && subgroupMinSize === subgroupMaxSize;
  return oneSize && subgroupMinSize > 1
    ? { kernel: "subgroup", lanes: subgroupMinSize }
    : { kernel: "workgroup", lanes: WORKGROUP_LANES };
}

/** Of workgroup_reduce.wgsl. */
const GATHERERS = 8;
/** struct Moves of group_finish.wgsl. */
const MOVES_BYTES = 16;

/** Workgroup memory in bytes, as the header of group.wgsl has it. */
export function groupBytes(
  { maxGpus, maxReplicas, maxEntries }: GroupSizes,
  { kernel, lanes }: GroupLanes = { kernel: "workgroup", lanes: WORKGROUP_LANES },
): number {
  const reductions = kernel === "workgroup" ? 32 * (lanes + GATHERERS) : 48;
  return 52 * maxGpus + 26 * maxReplicas + 8 * maxEntries + reductions + MOVES_BYTES;
}

/** Barriers of one iteration. */
export function groupBarriers(stages: number, { kernel }: Pick<GroupLanes, "kernel">): number {
  return 4 * stages + (kernel === "workgroup" ? 9 : 2);
}

/** Why the LPs of a topology do not fit into this much workgroup memory, told without planning its elimination; undefined where they may. */
function tooLargeForGroup(device: GPUDevice, topology: Topology): string | undefined {
  const { several, fixedGpus } = choosers(topology);
  const { gpus, replicaStart } = topology;
  const replicas = several.reduce((sum, e) => sum + replicaStart[e + 1] - replicaStart[e], 0);
  const places = gpus - fixedGpus.length + (fixedGpus.length > 0 ? 1 : 0);
  const least = { maxGpus: roundUp(places, 8), maxReplicas: roundUp(replicas, 32), maxEntries: 32 };
  return lacking(device, groupBytes(least, groupLanes(device)), "at least ");
}

function lacking({ limits }: GPUDevice, bytes: number, atLeast = ""): string | undefined {
  const { maxComputeWorkgroupStorageSize: most } = limits;
  if (bytes <= most) return undefined;
  return `an LP takes ${atLeast}${bytes} bytes of workgroup memory, and the device has ${most}`;
}

export function compileGroup(
  device: GPUDevice,
  { maxGpus, maxReplicas, maxEntries }: GroupSizes,
  equalSpeeds: boolean,
  { kernel, lanes }: GroupLanes = groupLanes(device),
): Promise<CompiledKernel> {
  const shape = { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas, MAX_ENTRIES: maxEntries };
  const overrides = { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: lanes };
  return compile(device, kernel === "subgroup" ? subgroupKernel : groupKernel, shape, overrides);
}

/** Planning an elimination takes its time: not twice for the same topologies. */
const tables = new WeakMap<readonly Topology[], GroupTable>();

function tableOf(topologies: readonly Topology[]): GroupTable {
  let table = tables.get(topologies);
  if (!table) {
    table = groupTable(topologies);
    tables.set(topologies, table);
  }
  return table;
}

export const group: Variant = {
  name: "group",
  refuses(device, topologies) {
    for (const topology of topologies) {
      const excess = tooLargeForGroup(device, topology);
      if (excess) return excess;
    }
    return lacking(device, groupBytes(tableOf(topologies), groupLanes(device)));
  },
  async compile(device, topologies) {
    const table = tableOf(topologies);
    const equalSpeeds = topologies.every((topology) => topology.equalSpeeds);
    return {
      compiled: await compileGroup(device, table, equalSpeeds),
      lpsPerWorkgroup: 1,
      sizes: table,
      table: { name: "topology", data: table.data },
      tableOf: (living) => groupRecordsWithin(living, table),
    };
  },
};
