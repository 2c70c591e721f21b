import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";
import { constants } from "./tolerances.ts";

/** One LP, its tokens without a choice served. */
export interface Read {
  /** [R] those; 0 on replicas of experts with several. */
  x: Float64Array;
  /** [G] tokens that have no choice: base loads and experts with one replica. */
  alone: Float64Array;
  /** Experts with a choice of replica, */
  experts: number[];
  /** and their tokens. */
  tokens: number[];
}

/** Loads in the units of the interior point. */
export interface Scaled {
  /** [G] loads without a choice. */
  b: number[];
  /** Loads of experts with a choice, floored; */
  w: number[];
  /** as they were given. */
  tokens: readonly number[];
  scale: number;
  /** Whether there is any load. */
  some: boolean;
}

export function readProblem(topology: Topology, { expertLoad, baseLoad }: Loads, lp: number): Read {
  const { gpus, replicaStart, replicaGpu } = topology;
  const alone = Float64Array.from({ length: gpus }, (_, g) => (baseLoad ? baseLoad[lp * gpus + g] : 0));
  const x = new Float64Array(replicaGpu.length);
  const experts: number[] = [];
  const tokens: number[] = [];
  for (let e = 0; e < topology.experts; e++) {
    const load = expertLoad[lp * topology.experts + e];
    const first = replicaStart[e];
    const replicas = replicaStart[e + 1] - first;
    if (replicas > 1) {
      experts.push(e);
      tokens.push(load);
    } else if (replicas === 1) {
      x[first] = load;
      alone[replicaGpu[first]] += load;
    }
  }
  return { x, alone, experts, tokens };
}

/**
 * Twin of shaders/lp/scaling.wgsl and of group_problem.wgsl: loads shifted so that none is negative, and scaled so that sum(load) = sum(v) = G.
 *
 * @param speed  [G] of mean 1.
 */
export function scaleLoads(speed: readonly number[], alone: ArrayLike<number>, tokens: readonly number[]): Scaled {
  const loads = Array.from(alone);
  const shift = loads.reduce((most, load, g) => Math.max(most, -load / speed[g]), 0);
  const total = [...loads, ...tokens].reduce((a, b) => a + b, 0) + shift * speed.length;
  const some = total > 0;
  const scale = some ? speed.length / total : 1;
  const b = loads.map((load, g) => (load + shift * speed[g]) * scale);
  const w = tokens.map((load) => Math.max(load * scale, constants.LOAD_FLOOR));
  return { b, w, tokens, scale, some };
}
