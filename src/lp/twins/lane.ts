import type { Loads } from "../problem.ts";
import { newtonShape } from "../text/newton.ts";
import type { Topology } from "../topology.ts";
import { finish } from "./finish.ts";
import { interiorPoint } from "./interior_point.ts";

export interface TwinSolution {
  /** [R] whole tokens per replica. */
  x: Float64Array;
  /** [G] 1 on the bottleneck set. */
  member: Uint8Array;
  iterations: number;
  moves: number;
}

/** f64 twin of shaders/lp/lane.wgsl for LP `lp` of whole-token loads: the interior point, then the exact finish. */
export function twin(topology: Topology): (loads: Loads, lp: number) => TwinSolution {
  const shape = newtonShape(topology);
  return (loads, lp) => {
    const { x, member, iterations } = interiorPoint(topology, shape, loads, lp);
    const moves = finish(topology, loads, lp, x, member);
    return { x, member, iterations, moves };
  };
}
