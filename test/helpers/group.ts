/** Runs the group kernel alone and checks its answers against the exact solver and the twin. */
import { compile, type Kernel } from "../../src/gpu/pipeline.ts";
import { compileGroup, type GroupLanes, groupKernel, subgroupKernel } from "../../src/lp/kernels/group.ts";
import { groupTable } from "../../src/lp/kernels/group_table.ts";
import type { Loads } from "../../src/lp/problem.ts";
import type { Topology } from "../../src/lp/topology.ts";
import * as reference from "../../src/lp/twins/group.ts";
import { changed, checkRaw, device, type Edit, type RawAnswer, runSolve } from "./raw.ts";

export { device };
export const workgroup = { kernel: "workgroup", lanes: 64 } as const;
/** As narrow as the software adapter's subgroups are. */
export const subgroup = { kernel: "subgroup", lanes: device.adapterInfo.subgroupMinSize! } as const;
export const variants: GroupLanes[] = [workgroup, subgroup];

interface Options {
  variant?: GroupLanes;
  grid?: [number, number];
  skip?: Uint32Array;
  edit?: Edit;
}

/** The kernel's answer to the LPs; LP p is of topology p % topologies. */
export async function solveGroup(topologies: readonly Topology[], loads: Loads, options: Options = {}) {
  const { variant = workgroup, edit, ...rest } = options;
  const table = groupTable(topologies);
  const { maxGpus, maxReplicas, maxEntries } = table;
  const { equalSpeeds } = topologies[0];
  const kernel = edit
    ? await compile(
        device,
        edited(variant.kernel === "subgroup" ? subgroupKernel : groupKernel, edit),
        { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas, MAX_ENTRIES: maxEntries },
        { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: variant.lanes },
      )
    : await compileGroup(device, table, equalSpeeds, variant);
  return { table, ...(await runSolve(kernel, table, loads, 1, rest)) };
}

/** A kernel's text in one piece, changed. */
function edited(kernel: Kernel, edit: Edit): Kernel {
  const wgsl = changed([kernel.wgsl, ...kernel.includes].join("\n"), edit);
  return { ...kernel, wgsl, includes: [], variant: wgsl };
}

/** Checks every LP; returns the differences of its iterations from the twin's, and the LPs that the kernel leaves to the CPU. */
export function check(topologies: readonly Topology[], loads: Loads, answer: RawAnswer, title: string) {
  const { left } = checkRaw(topologies, loads, answer, title);
  const solve64 = topologies.map(reference.group);
  const differences = Array.from({ length: loads.batch }, (_, lp) =>
    Math.abs(answer.iterations[lp] - solve64[lp % solve64.length](loads, lp).iterations),
  );
  return { differences, left };
}

/** Wide expert parallelism: two layers placed by EPLB, loads of a few steps. */
export const wide = {
  "EP64 R64": { gpus: 64, experts: 256, redundant: 64, layers: 2 },
  "EP144 R32": { gpus: 144, experts: 256, redundant: 32, layers: 2 },
  "EP320 R64": { gpus: 320, experts: 256, redundant: 64, layers: 2 },
  "EP128 R128": { gpus: 128, experts: 256, redundant: 128, layers: 2 },
};
