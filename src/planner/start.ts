import { Placement } from "../placement/placement.ts";
import { rebalanceExperts } from "../placement/rebalance.ts";
import { EMPTY, type Machine, rowsOf } from "./arrangement.ts";

/**
 * EPLB's placement for a layer: the experts of each GPU, where it may put one twice.
 *
 * With nodes, every expert is a group of its own, so that its replicas stay within a node. EPLB needs equally many slots on every GPU and
 * uses all; where a machine differs, the same greedy steps are taken under its capacities: replicas by load per copy, then, the
 * heaviest first, each to the GPU with the least load for its speed of those with a free slot, preferably one without that expert.
 *
 * @param weight  [E] mean loads.
 */
export function eplbRows(machine: Machine, weight: Float64Array): number[][] {
  const { gpus, experts, used, capacity, replicas } = machine;
  const nodes = replicas === "within-node" ? machine.nodes : 1; // to EPLB others are none
  if (capacity.every((slots) => slots * gpus === used)) {
    const maps = rebalanceExperts([weight], { replicas: used, groups: nodes === 1 ? 1 : experts, nodes, gpus });
    return rowsOf(Placement.fromPhysicalToLogical(maps.physicalToLogical[0], { gpus }));
  }
  const rows: number[][] = Array.from({ length: gpus }, () => []);
  for (const [node, members] of dealt(weight, nodes).entries()) {
    deal(machine, { node, nodes }, copiesOf(members, weight, used / nodes), weight, rows);
  }
  return rows;
}

/** Experts in equal numbers to nodes, the heaviest first to the lightest node. */
export function dealt(weight: Float64Array, nodes: number): number[][] {
  const members: number[][] = Array.from({ length: nodes }, () => []);
  const load = new Float64Array(nodes);
  const order = [...weight.keys()].sort((a, b) => weight[b] - weight[a]);
  for (const e of order) {
    let lightest = -1;
    for (let n = 0; n < nodes; n++) {
      if (members[n].length === weight.length / nodes) continue;
      if (lightest < 0 || load[n] < load[lightest]) lightest = n;
    }
    members[lightest].push(e);
    load[lightest] += weight[e];
  }
  return members;
}

/** Copies of each member, `slots` in all: the next goes to the largest load per copy. */
function copiesOf(members: readonly number[], weight: Float64Array, slots: number): Map<number, number> {
  const copies = new Map(members.map((e) => [e, 1]));
  for (let slot = members.length; slot < slots; slot++) {
    let busiest = members[0];
    for (const e of members) if (weight[e] / copies.get(e)! > weight[busiest] / copies.get(busiest)!) busiest = e;
    copies.set(busiest, copies.get(busiest)! + 1);
  }
  return copies;
}

function deal(
  machine: Machine,
  { node, nodes }: { node: number; nodes: number },
  copies: ReadonlyMap<number, number>,
  weight: Float64Array,
  rows: number[][],
): void {
  const { gpus, capacity, speed } = machine;
  const load = new Float64Array(gpus);
  const replicas = [...copies].flatMap(([e, n]) => new Array<number>(n).fill(e));
  const share = (e: number) => weight[e] / copies.get(e)!;
  for (const e of replicas.sort((a, b) => share(b) - share(a) || a - b)) {
    let best = EMPTY;
    for (let g = 0; g < gpus; g++) {
      if (Math.floor((g * nodes) / gpus) !== node || rows[g].length >= capacity[g]) continue;
      const twice = rows[g].includes(e);
      const bestTwice = best !== EMPTY && rows[best].includes(e);
      const lighter = best === EMPTY || load[g] / speed[g] < load[best] / speed[best];
      if (best === EMPTY || (bestTwice && !twice) || (bestTwice === twice && lighter)) best = g;
    }
    rows[best].push(e);
    load[best] += share(e);
  }
}
