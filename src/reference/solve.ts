import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";
import { finish } from "./finish.ts";
import { InteriorPoint } from "./interior_point.ts";

export interface TwinSolution {
  /** [R] whole tokens per replica. */
  x: Float64Array;
  /** [G] 1 on the bottleneck set. */
  member: Uint8Array;
  iterations: number;
  moves: number;
}

/** f64 twin of shaders/solve.wgsl for LP `lp` of whole-token loads: the interior point, then the exact finish. */
export function solve(topology: Topology, loads: Loads, lp: number): TwinSolution {
  const point = new InteriorPoint(topology);
  const iterations = point.solve(loads, lp);
  const moves = finish(topology, loads, lp, point.bestX, point.member);
  return { x: point.bestX, member: point.member, iterations, moves };
}
