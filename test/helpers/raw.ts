/** Runs a solving kernel alone and checks what it leaves in its buffers, before the host judges it or the CPU closes a gap. */

import { expect } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { sharedDevice } from "../../src/gpu/device.ts";
import { type CompiledKernel, foldGrid } from "../../src/gpu/pipeline.ts";
import { cutBound, insideLoad } from "../../src/lp/cut.ts";
import { exactSolver } from "../../src/lp/exact.ts";
import { toTopology } from "../../src/lp/forms.ts";
import { canonicalForm } from "../../src/lp/kernels/canonical.ts";
import { specialise } from "../../src/lp/kernels/generate.ts";
import { compileLane, lanesPerWorkgroup } from "../../src/lp/kernels/lane.ts";
import { decodeProofs, proofWords, type Status, statuses } from "../../src/lp/kernels/proof.ts";
import { compileSpecialised, labelTable } from "../../src/lp/kernels/specialised.ts";
import { type TopologyTable, topologyTable } from "../../src/lp/kernels/topology_table.ts";
import { solveParams } from "../../src/lp/kernels/variant.ts";
import type { Loads } from "../../src/lp/problem.ts";
import type { Topology } from "../../src/lp/topology.ts";
import { Placement } from "../../src/placement/placement.ts";
import { ordinary } from "./instances.ts";
import { runKernel, UNWRITTEN, unwritten } from "./kernel.ts";
import { maxLoadUnder } from "./max_load.ts";

export const { device } = await sharedDevice();

/** Changes the text of a kernel and its fragments. */
export type Edit = (text: string) => string;

export interface RawAnswer {
  /** [B, P] */
  quota: Int32Array;
  /** [B] as the kernel writes it. */
  status: Status[];
  /** [B, G] */
  member: Uint8Array;
  iterations: Int32Array;
  moves: Int32Array;
}

/** Runs a kernel with the bindings of `solve`. */
export async function runSolve(
  kernel: CompiledKernel,
  table: TopologyTable,
  { batch, expertLoad, baseLoad }: Loads,
  lpsPerWorkgroup: number,
  {
    labels,
    curve,
    skip,
    grid,
  }: { labels?: Uint32Array; curve?: Uint32Array; skip?: Uint32Array; grid?: [number, number] } = {},
): Promise<RawAnswer> {
  const words = proofWords(table.gpus);
  const unread = new Uint32Array(1);
  const arrays = {
    topology: table.data,
    labels: labels ?? unread,
    curve: curve ?? unread,
    load: expertLoad as Int32Array,
    base: (baseLoad as Int32Array | undefined) ?? unread,
    skip: skip ?? unread,
    quota: unwritten(batch * table.slots),
    proof: unwritten(batch * words),
    params: solveParams(batch, table, { hasBase: baseLoad !== undefined, hasSkip: skip !== undefined }),
  };
  const { quota, proof } = await runKernel(
    device,
    kernel,
    arrays,
    grid ?? foldGrid(device, Math.ceil(batch / lpsPerWorkgroup)),
  );
  const status = Array.from({ length: batch }, (_, lp) => statuses[proof[lp * words]]);
  if (!skip) expect([quota.indexOf(UNWRITTEN), proof.indexOf(UNWRITTEN)], "words left unwritten").toEqual([-1, -1]);
  return { quota: new Int32Array(quota.buffer), status, ...decodeProofs(proof, batch, table.gpus) };
}

/** A text, changed. */
export function changed(original: string, edit: Edit): string {
  const text = edit(original);
  if (text === original) throw new Error("the edit finds nothing to change");
  return text;
}

/** What *lane* answers; LP p is of topology p % topologies. */
export async function solveLane(topologies: readonly Topology[], loads: Loads): Promise<RawAnswer> {
  const table = topologyTable(topologies);
  return runSolve(await compileLane(device, table, topologies[0].equalSpeeds), table, loads, lanesPerWorkgroup(device));
}

/** Compiles *specialised* for a topology; `edit` changes the generated part of its text. */
export async function specialisedFor(topology: Topology, edit?: Edit): Promise<(loads: Loads) => Promise<RawAnswer>> {
  const form = canonicalForm(topology);
  const text = specialise(form);
  const kernel = await compileSpecialised(device, edit ? { ...text, wgsl: changed(text.wgsl, edit) } : text);
  const table = topologyTable([topology]);
  return (loads) => runSolve(kernel, table, loads, lanesPerWorkgroup(device), { labels: labelTable(form) });
}

/** Tokens per replica that the quotas of LP `lp` make, having checked that they serve every token once and slots of a replica evenly. */
function served(topology: Topology, { expertLoad }: Loads, quotas: Int32Array, lp: number, name: string) {
  const { slots, experts, slotReplica, slotExpert, replicaSlots, replicaGpu } = topology;
  const x = new Float64Array(replicaGpu.length);
  const unserved = new Float64Array(expertLoad.subarray(lp * experts, (lp + 1) * experts));
  const quota = quotas.subarray(lp * slots, (lp + 1) * slots);
  for (let p = 0; p < slots; p++) {
    x[slotReplica[p]] += quota[p];
    unserved[slotExpert[p]] -= quota[p];
  }
  const uneven = [...slotReplica].findIndex((r, p) => Math.abs(quota[p] - x[r] / replicaSlots[r]) >= 1);
  const faults = {
    negative: quota.findIndex((tokens) => tokens < 0),
    uneven,
    unserved: unserved.findIndex((tokens) => tokens !== 0),
  };
  expect(faults, name).toEqual({ negative: -1, uneven: -1, unserved: -1 });
  return x;
}

/** What the host would find in LP `lp`: its max load, the bound of its bottleneck set, and the optimum. */
export function judgeRaw(topology: Topology, loads: Loads, answer: RawAnswer, lp: number, name: string) {
  const { gpus, speed } = topology;
  const x = served(topology, loads, answer.quota, lp, name);
  const exact = new Float64Array(x.length);
  exactSolver(topology).solve(loads, lp, exact, new Uint8Array(gpus));
  const member = answer.member.subarray(lp * gpus, (lp + 1) * gpus);
  const inside = insideLoad(topology, loads.expertLoad, loads.baseLoad, lp, member);
  const speeds = [...speed].filter((_, g) => member[g] === 1);
  return {
    maxLoad: maxLoadUnder(topology, loads, lp, x),
    bound: cutBound(inside, speeds, "integer"),
    optimum: maxLoadUnder(topology, loads, lp, exact),
  };
}

/**
 * Checks every LP: tokens conserved; with equal speeds status "optimal", and max load and bound those of the exact solver. With unequal
 * speeds the kernels count time in integer paces, which are speeds rounded to 31 bits: `left` is how many LPs that leaves to the CPU.
 */
export function checkRaw(topologies: readonly Topology[], loads: Loads, answer: RawAnswer, title: string) {
  let left = 0;
  const optima: number[] = [];
  for (let lp = 0; lp < loads.batch; lp++) {
    const topology = topologies[lp % topologies.length];
    const name = `${title}, LP ${lp}`;
    const { maxLoad, bound, optimum } = judgeRaw(topology, loads, answer, lp, name);
    const found = { status: answer.status[lp], maxLoad, bound };
    if (topology.equalSpeeds) {
      expect(found, name).toEqual({ status: "optimal", maxLoad: optimum, bound: optimum });
    } else {
      expect(found.status, name).toBe("optimal");
      expect(maxLoad, name).toBeLessThanOrEqual(optimum + Math.abs(optimum) * 2 ** -30);
      if (maxLoad !== optimum || bound !== optimum) left++;
    }
    optima.push(optimum);
  }
  return { left, optima };
}

/** What sources say that ordinary instances take at most: of iterations, and of moves. */
export function expectOrdinary(
  instance: string,
  { iterations, moves }: RawAnswer,
  sources: { iterations: string; moves: string },
): void {
  if (!ordinary.some((family) => instance.endsWith(`, ${family}`))) return;
  const most = (text: string) => Number(/rdinary instances take at most (\d+)/.exec(text)![1]);
  expect(Math.max(...iterations), `iterations of ${instance}`).toBeLessThanOrEqual(most(sources.iterations));
  expect(Math.max(...moves), `moves of ${instance}`).toBeLessThanOrEqual(most(sources.moves));
}

/** Iterations of a kernel and its twin: the same but for what f32 makes of them. */
export function expectSame(differences: readonly number[]): void {
  const same = differences.filter((difference) => difference === 0).length / differences.length;
  console.log(
    `${differences.length} LPs: iterations equal in ${(100 * same).toFixed(1)} %, largest difference ${Math.max(...differences)}`,
  );
  expect(same).toBeGreaterThan(0.9);
}

/**
 * The most LPs that the kernels may leave to the CPU: none at equal speeds. At unequal ones a pace is a speed to 31 bits, so where an LP
 * has near 2^31 tokens, as two of the ten families do, two times that are nearly the same may change places.
 */
export function expectFewLeft(left: number, lps: number, unequalSpeeds: boolean): void {
  expect(left / lps, `${left} of ${lps} LPs left to the CPU`).toBeLessThanOrEqual(unequalSpeeds ? 0.03 : 0);
}

/** LPs at unequal speeds, of which many are done before time 0: base loads below zero. Also with nothing to move. */
export function negativeLoads(): { topology: Topology; loads: Loads } {
  const random = seeded(93);
  const topology = toTopology(Placement.fromPhysicalToLogical([0, 1, 1, 2, 2, 0], { gpus: 3 }), [1, 2, 1.3]);
  const batch = 100;
  const expertLoad = Int32Array.from({ length: 3 * batch }, (_, i) => (i < 90 ? 0 : random.below(100)));
  const baseLoad = Int32Array.from({ length: 3 * batch }, () => random.below(300) - 250);
  return { topology, loads: { batch, tokens: "integer", expertLoad, baseLoad } };
}

/** Where an optimum lies below 0 and speeds are unequal, the kernels cannot prove one: they must say so, and are right elsewhere. */
export function checkNegative({ topology, loads }: ReturnType<typeof negativeLoads>, answer: RawAnswer): void {
  const statuses = answer.status.map((status, lp) => {
    const { maxLoad, bound, optimum } = judgeRaw(topology, loads, answer, lp, `LP ${lp}`);
    const expected = optimum < 0 ? { status: "gap" } : { status: "optimal", maxLoad: optimum, bound: optimum };
    expect({ status, maxLoad, bound }, `LP ${lp}, optimum ${optimum}`).toMatchObject(expected);
    return status;
  });
  expect(statuses.filter((status) => status === "gap").length).toBeGreaterThan(20);
  expect(statuses.filter((status) => status === "optimal").length).toBeGreaterThan(20);
}
