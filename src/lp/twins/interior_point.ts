import { numbers } from "../text/field.ts";
import { constants, type Iterate, measure, type NewtonShape } from "../text/newton.ts";
import { step } from "../text/predictor_corrector.ts";
import type { Scaled } from "./scaling.ts";

const { MAX_ITERATIONS, START_SLACK } = constants;

export interface Approached {
  /** Per expert with a choice and replica: the best x seen, in tokens. */
  x: number[][];
  /** [G] the last prices. */
  y: readonly number[];
  iterations: number;
}

/**
 * Twin of shaders/lp/interior_point.wgsl and group_interior_point.wgsl, in f64: the arithmetic of an iteration is predictor_corrector.ts. They differ
 * in the shape that they run on, and in the bound that they stop at.
 *
 * @param closed  whether x of max load `best` is close enough to the bound, which it knows from the iterate, or from its dual bound.
 */
export function interiorPoint(
  shape: NewtonShape,
  { b, w, tokens }: Scaled,
  closed: (best: number, at: Iterate<number>, dualBound: number) => boolean,
): Approached {
  const at = startPoint(shape, b, w);
  let best = Infinity;
  let x = at.x;
  for (let iterations = 0; ; iterations++) {
    const { top, sumVy, bound } = measure(numbers, shape, b, w, at);
    if (top < best) {
      best = top;
      x = at.x.map((row, e) => row.map((value) => value * (tokens[e] / w[e])));
    }
    if (closed(best, at, bound) || iterations === MAX_ITERATIONS) return { x, y: at.y, iterations };
    Object.assign(at, step(numbers, shape, b, w, at, sumVy));
  }
}

/** Strictly feasible, so that there is no phase 1. */
function startPoint(shape: NewtonShape, b: readonly number[], w: readonly number[]): Iterate<number> {
  const { gpus, experts, speed } = shape;
  const at: Iterate<number> = {
    x: experts.map((gs, e) => gs.map(() => w[e] / gs.length)),
    z: experts.map((gs) => gs.map(() => 1 / gpus)),
    y: b.map(() => 1 / gpus),
    s: [],
    t: 0,
  };
  const start = measure(numbers, shape, b, w, at);
  at.t = start.top + START_SLACK;
  at.s = start.carried.map((load, g) => speed[g] * at.t - load);
  return at;
}
