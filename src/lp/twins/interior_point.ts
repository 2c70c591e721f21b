import type { Loads } from "../problem.ts";
import { numbers } from "../text/field.ts";
import { constants, type Iterate, measure, type NewtonShape } from "../text/newton.ts";
import { step } from "../text/predictor_corrector.ts";
import type { Topology } from "../topology.ts";

const { MAX_ITERATIONS, TOLERANCE, LOAD_FLOOR, START_SLACK } = constants;

export interface InteriorPointResult {
  /** [R] the best x seen, in tokens. */
  x: Float64Array;
  /** [G] 1 on the best swept cut. */
  member: Uint8Array;
  iterations: number;
}

/** f64 twin of shaders/lp/interior_point.wgsl with cut_sweep.wgsl, on LP `lp`. The arithmetic of an iteration is newton.ts. */
export function interiorPoint(
  topology: Topology,
  shape: NewtonShape,
  { expertLoad, baseLoad }: Loads,
  lp: number,
): InteriorPointResult {
  const { gpus, replicaStart, replicaGpu } = topology;
  const { speed: v, experts } = shape;

  // Loads shifted so that none is negative, and scaled so that sum(load) = sum(v) = G.
  const alone = Float64Array.from({ length: gpus }, (_, g) => (baseLoad ? baseLoad[lp * gpus + g] : 0));
  const tokens: number[] = [];
  const firstReplica: number[] = [];
  const x = new Float64Array(replicaGpu.length);
  for (let e = 0; e < topology.experts; e++) {
    const load = expertLoad[lp * topology.experts + e];
    if (replicaStart[e + 1] - replicaStart[e] > 1) {
      tokens.push(load);
      firstReplica.push(replicaStart[e]);
    } else if (replicaStart[e + 1] > replicaStart[e]) {
      x[replicaStart[e]] = load;
      alone[replicaGpu[replicaStart[e]]] += load;
    }
  }
  const shift = alone.reduce((most, load, g) => Math.max(most, -load / v[g]), 0);
  const total = [...alone, ...tokens].reduce((a, b) => a + b, 0) + shift * gpus;
  const scale = total > 0 ? gpus / total : 1;
  const b = Array.from(alone, (load, g) => (load + shift * v[g]) * scale);
  const w = tokens.map((load) => Math.max(load * scale, LOAD_FLOOR));

  const hottest = b.reduce((best, load, g) => (load / v[g] > b[best] / v[best] ? g : best), 0);
  let bound = b[hottest] / v[hottest];
  const member = new Uint8Array(gpus);
  member[hottest] = 1;
  if (!(total > 0)) return { x, member, iterations: 0 };

  const at: Iterate<number> = {
    x: experts.map((gs, e) => gs.map(() => w[e] / gs.length)),
    z: experts.map((gs) => gs.map(() => 1 / gpus)),
    y: b.map(() => 1 / gpus),
    s: [],
    t: 0,
  };
  const start = measure(numbers, shape, b, w, at);
  at.t = start.top + START_SLACK;
  at.s = start.carried.map((load, g) => v[g] * at.t - load);

  /** The G prefix sets of the GPUs in order of falling price: inside(S) / speed(S) of each; the best is kept. */
  const sweepCuts = () => {
    const order = [...at.y.keys()].sort((g, k) => at.y[k] - at.y[g] || g - k);
    const rank = new Array<number>(gpus);
    for (const [k, g] of order.entries()) rank[g] = k;
    const weightAt = order.map((g) => b[g]);
    for (const [e, gs] of experts.entries()) weightAt[Math.max(...gs.map((g) => rank[g]))] += tokens[e] * scale;
    let inside = 0;
    let speedInside = 0;
    let size = 0;
    for (const [k, g] of order.entries()) {
      inside += weightAt[k];
      speedInside += v[g];
      if (inside > bound * speedInside) {
        bound = inside / speedInside;
        size = k + 1;
      }
    }
    if (size > 0) for (let g = 0; g < gpus; g++) member[g] = rank[g] < size ? 1 : 0;
  };

  let best = Infinity;
  for (let iterations = 0; ; iterations++) {
    const { top, sumVy } = measure(numbers, shape, b, w, at);
    if (top < best) {
      best = top;
      for (const [e, row] of at.x.entries()) {
        for (const [r, value] of row.entries()) x[firstReplica[e] + r] = value * (tokens[e] / w[e]);
      }
    }
    sweepCuts();
    if ((best - bound) / Math.max(bound, LOAD_FLOOR) <= TOLERANCE || iterations === MAX_ITERATIONS) {
      return { x, member, iterations };
    }
    Object.assign(at, step(numbers, shape, b, w, at, sumVy));
  }
}
