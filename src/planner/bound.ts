import type { Curve } from "../lp/time/expert_cost.ts";
import { leastWork, unitsOf } from "../lp/time/work.ts";
import type { Machine } from "./arrangement.ts";
import type { LayerHistory } from "./history.ts";

type Room = Pick<Machine, "gpus" | "used" | "nodes" | "replicas" | "speed">;

/**
 * What the busiest GPU of one batch has at least, whichever placement of so many slots and whatever split: a load over its speed or, with a cost, its time.
 *
 *   least t with  sum over experts of (copies that e needs for t, less one) <= replicas     and     t >= what all GPUs together need
 *
 * Of k copies one serves at least w_e / k, and no GPU is faster than the fastest. The copies go one by one to the expert whose copies have most (EPLB's
 * rule), which makes that most as small as it can be. A placement must do with the same copies in every batch, so no bound of this
 * kind is reached but by chance; where it is far above 1, more replicas are the remedy and no other placement.
 */
export function leastBusiest(room: Room, loads: ArrayLike<number>, curve?: Curve): number {
  const { gpus, used, nodes, replicas, speed } = room;
  const most = replicas === "within-node" ? gpus / nodes : replicas === "across-nodes" ? nodes : gpus;
  const each = (e: number, copies: number) => (curve ? curve.time(Math.ceil(loads[e] / copies)) : loads[e] / copies);
  const fastest = speed.reduce((a, b) => Math.max(a, b));
  const least = together(loads, most, speed, curve);
  // Only experts that take longer than what all GPUs need together can make a difference.
  const parts: { e: number; copies: number; part: number }[] = [];
  for (let e = 0; e < loads.length; e++) {
    if (each(e, 1) > least * fastest) parts.push({ e, copies: 1, part: each(e, 1) });
  }
  const busiest = () =>
    parts.reduce((a, b) => (b.part > a.part ? b : a), { e: 0, copies: most, part: least * fastest });
  let top = busiest();
  for (let left = used - loads.length; left > 0 && top.copies < most; left--) {
    top.part = each(top.e, ++top.copies);
    top = busiest();
  }
  return Math.max(top.part / fastest, least);
}

/** What all GPUs together need at least: of whole units, as many as some GPU must have. */
function together(loads: ArrayLike<number>, most: number, speed: Float64Array, curve: Curve | undefined): number {
  const total = speed.reduce((a, b) => a + b);
  let work = 0;
  let units = 0;
  for (let e = 0; e < loads.length; e++) {
    work += curve ? leastWork(curve, loads[e], most) : loads[e];
    if (curve) units += unitsOf(curve.tile ?? Infinity, loads[e]);
  }
  const equal = speed.every((v) => v === speed[0]);
  const counted = curve && equal ? (curve.unit * Math.ceil(units / speed.length)) / speed[0] : 0;
  return Math.max(work / total, counted);
}

/** [steps] the same over what a perfect balance of the batch would take, or, with a cost, its work: as imbalances are given. */
export function leastImbalances(machine: Room, { steps, experts, share, costed }: LayerHistory): Float64Array {
  const total = machine.speed.reduce((a, b) => a + b);
  return Float64Array.from({ length: steps }, (_, step) => {
    const row = (costed?.tokens ?? share).subarray(step * experts, (step + 1) * experts);
    return (leastBusiest(machine, row, costed?.curve) * total) / (costed?.work[step] ?? 1);
  });
}
