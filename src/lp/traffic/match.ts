/** Whose tokens fill quotas that are given. */
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
