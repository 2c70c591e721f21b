import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";
import { hottestAlone, sweepCuts } from "./cut_sweep.ts";
import { finish } from "./finish.ts";
import { interiorPoint } from "./interior_point.ts";
import { newtonShape } from "./newton_system.ts";
import { readProblem, scaleLoads } from "./scaling.ts";
import { isClose } from "./tolerances.ts";

export interface TwinSolution {
  /** [R] whole tokens per replica. */
  x: Float64Array;
  /** [G] 1 on the bottleneck set. */
  member: Uint8Array;
  iterations: number;
  moves: number;
}

/** Twin of shaders/lp/lane.wgsl on LP `lp` of whole-token loads, in f64: the interior point, stopped by the swept cuts, then the exact finish. */
export function lane(topology: Topology): (loads: Loads, lp: number) => TwinSolution {
  const shape = newtonShape(topology);
  return (loads, lp) => {
    const { x, alone, experts, tokens } = readProblem(topology, loads, lp);
    const scaled = scaleLoads(shape.speed, alone, tokens);
    const cut = hottestAlone(shape, scaled);
    let iterations = 0;
    if (scaled.some) {
      const approached = interiorPoint(shape, scaled, (best, y) => {
        sweepCuts(shape, scaled, y, cut);
        return isClose(best, cut.bound);
      });
      for (const [i, e] of experts.entries()) x.set(approached.x[i], topology.replicaStart[e]);
      iterations = approached.iterations;
    }
    const moves = finish(topology, loads, lp, x, cut.member);
    return { x, member: cut.member, iterations, moves };
  };
}
