import { TimeSolver } from "../lp/time/time_solver.ts";
import { topologyOfPlacement } from "../lp/topology.ts";
import { type Machine, placementOf, type Rows } from "./arrangement.ts";
import type { Costed, LayerHistory } from "./history.ts";
import type { Pacer } from "./pacer.ts";

/**
 * [K][steps] the time of K placements on recorded batches, each as the time solver splits it: the time of the busiest GPU over what the batch's work would
 * take, were it divided among all GPUs. That is the same for every placement, so their times compare; it may not be possible.
 */
export async function times(
  { machine, pacer }: { machine: Machine; pacer: Pacer },
  placements: readonly Rows[],
  { steps, experts }: LayerHistory,
  { tokens, work, curve }: Costed,
): Promise<Float64Array[]> {
  const total = machine.speed.reduce((a, b) => a + b);
  const found = placements.map(() => new Float64Array(steps));
  for (const [i, rows] of placements.entries()) {
    const topology = topologyOfPlacement(placementOf(rows), machine.speed, undefined, curve);
    const solver = new TimeSolver(topology, curve);
    const x = new Float64Array(topology.replicaGpu.length);
    const member = new Uint8Array(machine.gpus);
    for (let step = 0; step < steps; step++) {
      await pacer.breathe();
      solver.solve(tokens.subarray(step * experts, (step + 1) * experts), undefined, x, member);
      const time = new Float64Array(machine.gpus);
      for (const [r, g] of topology.replicaGpu.entries()) time[g] += curve.time(x[r]);
      found[i][step] = (time.reduce((most, one, g) => Math.max(most, one / machine.speed[g]), 0) * total) / work[step];
    }
  }
  return found;
}
