/** Whose tokens fill quotas that are given. */
import type { Distance } from "../../placement/distance.ts";
import { NO_REPLICA, slotsByExpert, type Topology } from "../topology.ts";

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
 * Fills quotas nearest first: of an expert's sources and slots those that are nearest to each other take what they can, then the next. Where distances
 * are hierarchical (GPU, node, the rest) no other way to fill these quotas has less traffic. Of equal distances the lower source goes first, and fills its
 * slots in ascending order. Scratch for one topology.
 */
export class NearestMatcher {
  /** Slots of experts that have no other, */
  private readonly only: Int32Array;
  /** and for the others source and slot of each pair, nearest first, expert by expert. */
  private readonly pairs: Int32Array;
  private readonly left: Int32Array;
  private readonly room: Int32Array;

  constructor(
    private readonly topology: Topology,
    private readonly distance: Distance,
  ) {
    const { experts, slots, slotReplica, replicaGpu, label } = topology;
    const { sources, gpus, values } = distance;
    const { start, items } = slotsByExpert(topology);
    const slotsOf = Array.from({ length: experts }, (_, e) => [...items.subarray(start[e], start[e + 1])]);
    const far = (s: number, p: number) => values[s * gpus + label[replicaGpu[slotReplica[p]]]];
    const pairsOf = (own: number[]) =>
      own
        .flatMap((p) => Array.from({ length: sources }, (_, s) => [s, p]))
        .sort(([s, p], [other, slot]) => far(s, p) - far(other, slot) || s - other || p - slot);
    this.only = Int32Array.from(slotsOf.filter(({ length }) => length === 1).flat());
    this.pairs = Int32Array.from(slotsOf.filter(({ length }) => length > 1).flatMap((own) => pairsOf(own).flat()));
    this.left = new Int32Array(sources * experts);
    this.room = new Int32Array(slots);
  }

  /** @param sourceLoad  [S, E]  @param quota  [P], each expert's adding up to what the sources have.  @param sourceQuota  [S, P] out. */
  match(sourceLoad: Int32Array, quota: Int32Array, sourceQuota: Int32Array): void {
    const { only, pairs, left, room } = this;
    const { experts, slots, slotExpert } = this.topology;
    const { sources } = this.distance;
    sourceQuota.fill(0);
    for (let s = 0; s < sources; s++) {
      for (const p of only) sourceQuota[s * slots + p] = sourceLoad[s * experts + slotExpert[p]];
    }
    left.set(sourceLoad);
    room.set(quota);
    for (let i = 0; i < pairs.length; i += 2) {
      const [s, p] = [pairs[i], pairs[i + 1]];
      const here = s * experts + slotExpert[p];
      const tokens = Math.min(left[here], room[p]);
      sourceQuota[s * slots + p] = tokens;
      left[here] -= tokens;
      room[p] -= tokens;
    }
  }
}
