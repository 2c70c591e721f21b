/** Runs the group kernel alone and checks its answers against the exact solver and the twin. */
import { expect } from "vitest";
import { cutBound, insideLoad } from "../../src/cut.ts";
import { sharedDevice } from "../../src/gpu/device.ts";
import { compile, foldGrid, type Kernel } from "../../src/gpu/pipeline.ts";
import { compileGroup, type GroupVariant, groupKernel, subgroupKernel } from "../../src/kernels/group.ts";
import { groupTable } from "../../src/kernels/group_table.ts";
import { decodeProofs, solveParams, statuses } from "../../src/kernels/solve.ts";
import { proofWords } from "../../src/kernels/topology_table.ts";
import type { Loads } from "../../src/problem.ts";
import { exactSolver } from "../../src/reference/exact.ts";
import { twin } from "../../src/reference/group.ts";
import type { Topology } from "../../src/topology.ts";
import { runKernel, unwritten } from "./kernel.ts";

export const { device } = await sharedDevice("software");
export const workgroup = { kernel: "workgroup", lanes: 64 } as const;
/** As narrow as the software adapter's subgroups are. */
export const subgroup = { kernel: "subgroup", lanes: device.adapterInfo.subgroupMinSize! } as const;
export const variants: GroupVariant[] = [workgroup, subgroup];

interface Options {
  variant?: GroupVariant;
  grid?: [number, number];
  skip?: Uint32Array;
  /** Changes the text of the kernel. */
  edit?: (text: string) => string;
}

/** The kernel's answer to the LPs; LP p is of topology p % topologies. */
export async function solveGroup(topologies: readonly Topology[], loads: Loads, options: Options = {}) {
  const { variant = workgroup, skip, edit } = options;
  const { batch, expertLoad, baseLoad } = loads;
  const table = groupTable(topologies);
  const kernel = edit
    ? await compileEdited(table, variant, edit)
    : await compileGroup(device, table, topologies[0].equalSpeeds, variant);
  const unread = new Uint32Array(1);
  const arrays = {
    topology: table.data,
    load: expertLoad as Int32Array,
    base: (baseLoad as Int32Array | undefined) ?? unread,
    skip: skip ?? unread,
    quota: unwritten(batch * table.slots),
    proof: unwritten(batch * proofWords(table.gpus)),
    params: solveParams(batch, table, { hasBase: baseLoad !== undefined, hasSkip: skip !== undefined }),
  };
  const { quota, proof } = await runKernel(device, kernel, arrays, options.grid ?? foldGrid(device, batch));
  const status = Array.from({ length: batch }, (_, lp) => statuses[proof[lp * proofWords(table.gpus)]]);
  return { table, quota: new Int32Array(quota.buffer), status, ...decodeProofs(proof, batch, table.gpus) };
}

function compileEdited(
  table: ReturnType<typeof groupTable>,
  { kernel, lanes }: GroupVariant,
  edit: (text: string) => string,
) {
  const { maxGpus, maxReplicas, maxEntries } = table;
  const original: Kernel = kernel === "subgroup" ? subgroupKernel : groupKernel;
  const wgsl = edit([original.wgsl, ...original.includes].join("\n"));
  return compile(
    device,
    { ...original, wgsl, includes: [], variant: wgsl },
    { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas, MAX_ENTRIES: maxEntries },
    { EQUAL_SPEEDS: 1, WG: lanes },
  );
}

/** Max load of LP `lp` under tokens per replica. */
function maxLoadOf(
  { gpus, replicaGpu, speed }: Topology,
  { baseLoad }: Loads,
  lp: number,
  x: ArrayLike<number>,
): number {
  const held = Array.from({ length: gpus }, (_, g) => baseLoad?.[lp * gpus + g] ?? 0);
  for (const [r, g] of replicaGpu.entries()) held[g] += x[r];
  return Math.max(...held.map((tokens, g) => tokens / speed[g]));
}

/**
 * Checks every LP: tokens conserved, slots of a replica even, max load as the exact solver's and as the bottleneck set proves. Returns the
 * differences of its iterations from the twin's, and the LPs in which the integer paces of the kernel cost a token or two.
 */
export function check(
  topologies: readonly Topology[],
  loads: Loads,
  answer: Awaited<ReturnType<typeof solveGroup>>,
  title: string,
) {
  const differences: number[] = [];
  let inexact = 0;
  for (let lp = 0; lp < loads.batch; lp++) {
    const topology = topologies[lp % topologies.length];
    const { slots, experts, slotReplica, replicaStart, replicaSlots, speed, equalSpeeds, gpus } = topology;
    const name = `${title}, LP ${lp}`;
    const x = new Float64Array(topology.replicaGpu.length);
    const quota = answer.quota.subarray(lp * slots, (lp + 1) * slots);
    for (let p = 0; p < slots; p++) x[slotReplica[p]] += quota[p];
    for (let p = 0; p < slots; p++) {
      const even = x[slotReplica[p]] / replicaSlots[slotReplica[p]];
      expect(Math.abs(quota[p] - even), name).toBeLessThan(1);
    }
    for (let e = 0; e < experts; e++) {
      const served = x.subarray(replicaStart[e], replicaStart[e + 1]);
      expect(
        served.every((tokens) => tokens >= 0),
        name,
      ).toBe(true);
      expect(
        served.reduce((a, b) => a + b),
        name,
      ).toBe(loads.expertLoad[lp * experts + e]);
    }
    const exact = new Float64Array(x.length);
    exactSolver(topology).solve(loads, lp, exact, new Uint8Array(gpus));
    const optimum = maxLoadOf(topology, loads, lp, exact);
    const maxLoad = maxLoadOf(topology, loads, lp, x);
    const member = answer.member.subarray(lp * gpus, (lp + 1) * gpus);
    const inside = insideLoad(topology, loads.expertLoad, loads.baseLoad, lp, member);
    const bound = cutBound(
      inside,
      [...speed].filter((_, g) => member[g] === 1),
      "integer",
    );
    expect(answer.status[lp], name).toBe("optimal");
    if (equalSpeeds) {
      expect(maxLoad, name).toBe(optimum);
      expect(bound, name).toBe(optimum);
    } else {
      expect(maxLoad, name).toBeLessThanOrEqual(optimum * (1 + 2 ** -30)); // paces are speeds rounded to 31 bits
      if (maxLoad !== optimum || bound !== optimum) inexact++;
    }
    differences.push(Math.abs(answer.iterations[lp] - twin(topology)(loads, lp).iterations));
  }
  return { differences, inexact };
}

export function expectSame(differences: readonly number[]): void {
  const same = differences.filter((difference) => difference === 0).length / differences.length;
  console.log(
    `${differences.length} LPs: iterations equal in ${(100 * same).toFixed(1)} %, largest difference ${Math.max(...differences)}`,
  );
  expect(same).toBeGreaterThan(0.9);
}

/** Wide expert parallelism: two layers placed by EPLB, loads of a few steps. */
export const wide = {
  "EP64 R64": { gpus: 64, experts: 256, redundant: 64, layers: 2 },
  "EP144 R32": { gpus: 144, experts: 256, redundant: 32, layers: 2 },
  "EP320 R64": { gpus: 320, experts: 256, redundant: 64, layers: 2 },
  "EP128 R128": { gpus: 128, experts: 256, redundant: 128, layers: 2 },
};
