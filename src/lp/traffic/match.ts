/** Whose tokens fill quotas that are given. */
import type { Distance } from "../../placement/distance.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";

/**
 * Source by source in order, slot by slot: where a token goes does not depend on where it is.
 *
 * @param sourceLoad  [S, E]  @param quota  [P], each expert's adding up to what the sources have.  @param sourceQuota  [S, P] out.
 */
export function matchInOrder(
  { experts, slots, slotExpert, slotReplica }: Topology,
  sourceLoad: Int32Array,
  quota: Int32Array,
  sourceQuota: Int32Array,
): void {
  const sources = sourceLoad.length / experts;
  const left = sourceLoad.slice();
  sourceQuota.fill(0);
  for (let p = 0; p < slots; p++) {
    if (slotReplica[p] === NO_REPLICA) continue;
    let room = quota[p];
    for (let s = 0; s < sources && room > 0; s++) {
      const here = s * experts + slotExpert[p];
      const tokens = Math.min(room, left[here]);
      sourceQuota[s * slots + p] = tokens;
      left[here] -= tokens;
      room -= tokens;
    }
  }
}

/**
 * Nearest first: of an expert's sources and slots those that are nearest to each other take what they can, then the next. Where distances are
 * hierarchical (GPU, node, the rest) no other way to fill these quotas has less traffic.
 *
 * @param sourceLoad  [S, E]  @param quota  [P], each expert's adding up to what the sources have.  @param sourceQuota  [S, P] out.
 */
export function matchNearest(
  { experts, slots, slotReplica, replicaGpu, slotExpert, label }: Topology,
  { sources, gpus, values }: Distance,
  sourceLoad: Int32Array,
  quota: Int32Array,
  sourceQuota: Int32Array,
): void {
  sourceQuota.fill(0);
  const slotsOf: number[][] = Array.from({ length: experts }, () => []);
  for (let p = 0; p < slots; p++) if (slotReplica[p] !== NO_REPLICA) slotsOf[slotExpert[p]].push(p);
  for (const [e, own] of slotsOf.entries()) {
    if (own.length === 1) {
      for (let s = 0; s < sources; s++) sourceQuota[s * slots + own[0]] = sourceLoad[s * experts + e];
      continue;
    }
    const pairs = own.flatMap((p) =>
      Array.from({ length: sources }, (_, s) => ({ s, p, far: values[s * gpus + label[replicaGpu[slotReplica[p]]]] })),
    );
    const left = Array.from({ length: sources }, (_, s) => sourceLoad[s * experts + e]);
    const room = new Map(own.map((p) => [p, quota[p]]));
    for (const { s, p } of pairs.sort((a, b) => a.far - b.far || a.s - b.s || a.p - b.p)) {
      const tokens = Math.min(left[s], room.get(p)!);
      sourceQuota[s * slots + p] = tokens;
      left[s] -= tokens;
      room.set(p, room.get(p)! - tokens);
    }
  }
}
