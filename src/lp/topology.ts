import type { Placement } from "../placement/placement.ts";
import type { Curve } from "./time/expert_cost.ts";

/**
 * What every solver works on: experts, each with one or more replicas on distinct GPUs (the replica form of the problem).
 * Slots of one expert on the same GPU are one replica, unless there is a cost. Immutable and free of loads.
 *
 * It is made of the GPUs that are alive, numbered without gaps; dead ones, their slots and empty slots have no replica, so that no solver can
 * meet them. Who talks to the caller (base loads in; loads, prices, sets out) goes by `label`.
 */
export interface Topology {
  /** A, the GPUs that are alive. */
  readonly gpus: number;
  /** G, as the caller counts them. */
  readonly allGpus: number;
  /** [A] the caller's number of each, ascending. */
  readonly label: Int32Array;
  /** E, the length of a row of expert loads (edge form: the number of edges). */
  readonly experts: number;
  /** P, the length of a row of quotas (edge form: two per edge, original then replica). */
  readonly slots: number;
  /** [E + 1] replicas of expert e are replicaStart[e] to replicaStart[e + 1] - 1: none, if it is lost. */
  readonly replicaStart: Int32Array;
  /** [R] the GPU of each replica. */
  readonly replicaGpu: Int32Array;
  /** Experts without a replica, ascending. */
  readonly lost: readonly number[];
  /** [P] the expert that a slot holds, -1 where it is empty. */
  readonly slotExpert: Int32Array;
  /** [P] the replica that a slot belongs to; NO_REPLICA where it is empty, or on a dead GPU: its quota is 0. */
  readonly slotReplica: Int32Array;
  /** [P] how many slots of the same replica come before this one. */
  readonly slotOrdinal: Int32Array;
  /** [R] slots of each replica: 1 unless an expert sits twice on a GPU. */
  readonly replicaSlots: Int32Array;
  /** [A] speeds as the caller gave them, 1 by default. */
  readonly speed: Float64Array;
  /** Whether all speeds are the same. */
  readonly equalSpeeds: boolean;
  /** Where time is balanced: what the tokens in a slot cost. Base loads are times then. */
  readonly cost: Curve | undefined;
}

export const NO_REPLICA = -1;
const NO_GPU = -1;

/**
 * @param active  [G] 1 where a GPU is alive; all are, if undefined.
 * @param cost  Of tokens in a slot: then slots of one expert on the same GPU are replicas of their own.
 */
function withSlots(
  allGpus: number,
  slotExpert: Int32Array,
  gpuOf: ArrayLike<number>,
  experts: number,
  speeds: Float64Array,
  active?: Uint8Array,
  cost?: Curve,
): Topology {
  const slots = slotExpert.length;
  const label = Int32Array.from([...Array(allGpus).keys()].filter((g) => active?.[g] !== 0));
  const numberOf = new Int32Array(allGpus).fill(NO_GPU);
  for (const [g, all] of label.entries()) numberOf[all] = g;
  const slotGpu = Int32Array.from(slotExpert, (e, p) => (e < 0 ? NO_GPU : numberOf[gpuOf[p]]));
  const placeOf = (p: number) => (cost ? p : slotGpu[p]);
  const replicasOf: Map<number, number>[] = Array.from({ length: experts }, () => new Map()); // place -> ordinal
  for (let p = 0; p < slots; p++) {
    if (slotGpu[p] === NO_GPU) continue;
    const known = replicasOf[slotExpert[p]];
    if (!known.has(placeOf(p))) known.set(placeOf(p), known.size);
  }
  const replicaStart = new Int32Array(experts + 1);
  for (let e = 0; e < experts; e++) replicaStart[e + 1] = replicaStart[e] + replicasOf[e].size;
  const replicas = replicaStart[experts];
  const replicaGpu = new Int32Array(replicas);
  const replicaSlots = new Int32Array(replicas);
  const slotReplica = new Int32Array(slots).fill(NO_REPLICA);
  const slotOrdinal = new Int32Array(slots);
  for (let p = 0; p < slots; p++) {
    if (slotGpu[p] === NO_GPU) continue;
    const e = slotExpert[p];
    const r = replicaStart[e] + replicasOf[e].get(placeOf(p))!;
    replicaGpu[r] = slotGpu[p];
    slotReplica[p] = r;
    slotOrdinal[p] = replicaSlots[r]++;
  }
  const speed = Float64Array.from(label, (all) => speeds[all]);
  return {
    ...{ gpus: label.length, allGpus, label, experts, slots, replicaStart, replicaGpu },
    lost: replicasOf.flatMap((on, e) => (on.size === 0 ? [e] : [])),
    ...{ slotExpert, slotReplica, slotOrdinal, replicaSlots, speed },
    equalSpeeds: speed.every((v) => v === speed[0]),
    cost,
  };
}

/**
 * @param active  [G] 1 where a GPU is alive; all are, if undefined.
 * @param cost  What the tokens in a slot cost, where that is not in proportion to their number: then each slot is a replica of its own.
 */
export function topologyOfPlacement(
  placement: Placement,
  speed: Float64Array,
  active?: Uint8Array,
  cost?: Curve,
): Topology {
  const { gpus, logicalExperts, physicalToLogical, gpuOf } = placement;
  return withSlots(gpus, physicalToLogical, gpuOf, logicalExperts, speed, active, cost);
}

/** Edge i -> j of capacity c is an expert of load c with replicas on i (slot 2e) and j (slot 2e + 1). */
export function topologyOfEdges(gpus: number, edges: readonly (readonly number[])[], speed: Float64Array): Topology {
  const slotExpert = Int32Array.from({ length: 2 * edges.length }, (_, p) => p >> 1);
  return withSlots(gpus, slotExpert, Int32Array.from(edges.flat()), edges.length, speed);
}

/** The i whose `group[i]` is g, ascending: items start[g] to start[g + 1] - 1. Below 0 they are of no group. */
export function grouped(group: Int32Array, groups: number) {
  const start = new Int32Array(groups + 1);
  for (const g of group) if (g >= 0) start[g + 1]++;
  for (let g = 0; g < groups; g++) start[g + 1] += start[g];
  const items = new Int32Array(start[groups]);
  const next = start.slice(0, groups);
  for (const [i, g] of group.entries()) if (g >= 0) items[next[g]++] = i;
  return { start, items };
}

/** Whose a slot without a replica is. */
const NOBODY = -1;

/** Slots that have a replica, by expert. */
export function slotsByExpert({ experts, slotExpert, slotReplica }: Topology) {
  return grouped(
    slotExpert.map((e, p) => (slotReplica[p] === NO_REPLICA ? NOBODY : e)),
    experts,
  );
}

/** Replicas by GPU, and the expert of each replica. */
export function adjacency({ gpus, experts, replicaStart, replicaGpu }: Topology) {
  const replicaExpert = new Int32Array(replicaGpu.length);
  for (let e = 0; e < experts; e++) replicaExpert.fill(e, replicaStart[e], replicaStart[e + 1]);
  const { start: gpuStart, items: gpuReplica } = grouped(replicaGpu, gpus);
  return { replicaExpert, gpuStart, gpuReplica };
}

/** [B, all GPUs] to [B, living GPUs]; the same array where all are alive. */
export function ofLiving<T extends ArrayLike<number>>({ gpus, allGpus, label }: Topology, values: T): T | Float64Array {
  if (gpus === allGpus) return values;
  const living = new Float64Array((values.length / allGpus) * gpus);
  for (let i = 0; i < living.length; i++) living[i] = values[Math.floor(i / gpus) * allGpus + label[i % gpus]];
  return living;
}
