/**
 * Twin of shaders/lp/interior_point.wgsl and group_interior_point.wgsl, in f64: they differ in the shape that they run on, and in the bound that
 * they stop at.    [Mehrotra 1992]
 *
 * Both directions of a step solve for the new x' and s' themselves: with rho_r and eta_g the targets of x z and s y over z and y,
 *   c_e = (w_e - sum rho_r) / D_e,   h_g = b_g - v_g t + eta_g + sum_{r on g} (rho_r + d_r c_e),   M dy + v dt = h,   v.dy = 1 - v.y
 *   dz_r = dy_{g(r)} - c_e - sum_k d_k dy_{g(k)} / D_e,   x'_r = rho_r - d_r dz_r,   s'_g = eta_g - (s_g / y_g) dy_g
 * so that the primal residuals need no terms of their own. The predictor's targets are 0: there dx / x = -1 - dz / z, and u = dz / z
 * alone tells both step lengths, the mu that follows, and the second-order terms -dx dz = x z (u + u^2) of the corrector.
 *
 * What holds for s and y of a GPU holds for x and z of a replica alike: a list over *pairs* has the GPUs, then the replicas, expert by expert.
 */
import type { NewtonMatrix, NewtonShape } from "./newton_system.ts";
import type { Scaled } from "./scaling.ts";
import { type Factor, factor, solveBordered } from "./star_mesh.ts";
import { constants } from "./tolerances.ts";

const { MAX_ITERATIONS, PRIMAL_FLOOR, DUAL_FLOOR, START_SLACK, LEAST_FRACTION } = constants;

export interface Approached {
  /** Per expert with a choice and replica: the best x seen, in tokens. */
  x: number[][];
  /** [G] the last prices. */
  y: readonly number[];
  iterations: number;
}

interface Iterate {
  /** Per pair: s, x. */
  readonly primal: readonly number[];
  /** Per pair: y, z. */
  readonly dual: readonly number[];
  readonly t: number;
}

/** What both directions of a step have in common. */
interface System {
  readonly shape: NewtonShape;
  readonly b: readonly number[];
  readonly w: readonly number[];
  readonly at: Iterate;
  /** Per pair: 1 / y, 1 / z; */
  readonly inverse: readonly number[];
  /** s / y, x / z; */
  readonly quotients: readonly number[];
  /** s y, x z, */
  readonly products: readonly number[];
  /** their sum, */
  readonly total: number;
  /** and their mean. */
  readonly mu: number;
  readonly matrix: NewtonMatrix;
  readonly factored: Factor;
  /** 1 - v.y */
  readonly rs: number;
}

interface Direction {
  /** Per pair: dy, dz. */
  readonly delta: readonly number[];
  readonly dt: number;
}

const sum = (terms: readonly number[]): number => terms.reduce((a, b) => a + b);

/** Of a list over pairs, what belongs to each expert's replicas. */
function replicasOf({ gpus, experts }: NewtonShape, pairs: readonly number[]): number[][] {
  let end = gpus;
  return experts.map(({ length }) => {
    end += length;
    return pairs.slice(end - length, end);
  });
}

/**
 * @param closed  whether x of max load `best` is close enough to the bound, which it knows from the prices y [G], or from their dual bound.
 */
export function interiorPoint(
  shape: NewtonShape,
  { b, w, tokens }: Scaled,
  closed: (best: number, y: readonly number[], dualBound: number) => boolean,
): Approached {
  let at = startPoint(shape, b, w);
  let best = Infinity;
  let x: number[][] = [];
  for (let iterations = 0; ; iterations++) {
    const held = replicasOf(shape, at.primal);
    const y = at.dual.slice(0, shape.gpus);
    const { top } = carry(shape, b, held);
    if (top < best) {
      best = top;
      x = held.map((row, e) => row.map((value) => value * (tokens[e] / w[e])));
    }
    const sumVy = sum(y.map((price, g) => price * shape.speed[g]));
    if (closed(best, y, dualBound(shape, b, w, y) / sumVy) || iterations === MAX_ITERATIONS) {
      return { x, y, iterations };
    }
    at = step(shape, b, w, at, 1 - sumVy);
  }
}

/** Strictly feasible, so that there is no phase 1. */
function startPoint(shape: NewtonShape, b: readonly number[], w: readonly number[]): Iterate {
  const { gpus, experts, speed } = shape;
  const x = experts.map((gs, e) => gs.map(() => w[e] / gs.length));
  const { carried, top } = carry(shape, b, x);
  const t = top + START_SLACK;
  const s = carried.map((load, g) => speed[g] * t - load);
  const primal = [...s, ...x.flat()];
  return { primal, dual: primal.map(() => 1 / gpus), t };
}

/** [G] loads under x, and the largest load / speed. */
function carry({ experts, speed }: NewtonShape, b: readonly number[], x: readonly (readonly number[])[]) {
  const carried = [...b];
  for (const [e, gs] of experts.entries()) for (const [r, g] of gs.entries()) carried[g] += x[e][r];
  return { carried, top: Math.max(...carried.map((load, g) => load * (1 / speed[g]))) };
}

/** sum b y + sum_e w_e min { y_g : g has a replica of e } */
function dualBound({ experts }: NewtonShape, b: readonly number[], w: readonly number[], y: readonly number[]): number {
  return sum([...b.map((load, g) => load * y[g]), ...experts.map((gs, e) => w[e] * Math.min(...gs.map((g) => y[g])))]);
}

function step(shape: NewtonShape, b: readonly number[], w: readonly number[], at: Iterate, rs: number): Iterate {
  const system = newtonSystem(shape, b, w, at, rs);
  const predictor = newtonDirection(
    system,
    at.primal.map(() => 0),
  );
  const targets = aimCorrector(system, predictor);
  return advance(system, targets, newtonDirection(system, targets));
}

function newtonSystem(shape: NewtonShape, b: readonly number[], w: readonly number[], at: Iterate, rs: number): System {
  const { primal, dual } = at;
  const inverse = dual.map((value) => 1 / value);
  const quotients = primal.map((value, k) => value * inverse[k]);
  const products = primal.map((value, k) => value * dual[k]);
  const total = sum(products);
  const mu = total * (1 / products.length);
  const d = replicasOf(shape, quotients);
  const matrix = { theta: quotients.slice(0, shape.gpus), d, invD: d.map((row) => 1 / sum(row)) };
  const factored = factor(shape, matrix);
  return { shape, b, w, at, inverse, quotients, products, total, mu, matrix, factored, rs };
}

/** Towards the targets eta, rho. */
function newtonDirection(system: System, targets: readonly number[]): Direction {
  const { shape, b, w, at, matrix, factored, rs } = system;
  const { experts, speed } = shape;
  const { d, invD } = matrix;
  const rho = replicasOf(shape, targets);
  const c = w.map((load, e) => (load - sum(rho[e])) * invD[e]);
  const h = b.map((load, g) => load - speed[g] * at.t + targets[g]);
  for (const [e, gs] of experts.entries()) for (const [r, g] of gs.entries()) h[g] += rho[e][r] + d[e][r] * c[e];
  const { dy, dt } = solveBordered(shape, factored, h, rs);
  const dz = experts.flatMap((gs, e) => {
    const weighted = sum(gs.map((g, r) => d[e][r] * dy[g]));
    const dnu = c[e] + weighted * invD[e];
    return gs.map((g) => dy[g] - dnu);
  });
  return { delta: [...dy, ...dz], dt };
}

/** From the predictor to the corrector's targets: eta = (sigma mu - ds dy) / y, rho likewise. */
function aimCorrector({ inverse, products, total, mu }: System, { delta }: Direction): number[] {
  const u = delta.map((value, k) => value * inverse[k]);
  const first = products.map((product, k) => product * u[k]);
  const second = first.map((product, k) => product * u[k]);
  const primal = longest(1 + Math.max(...u));
  const dual = longest(-Math.min(...u));
  // sum of x z (1 - primal (1 + u)) (1 + dual u) over all pairs, as a polynomial of u
  const both = primal * dual;
  const affine = (1 - primal) * total + (dual - both - primal) * sum(first) - both * sum(second);
  const ratio = Math.max(affine / total, 0);
  const aim = ratio * ratio * ratio * mu; // sigma mu = (mu_affine / mu)^3 mu
  return inverse.map((inv, k) => (aim + first[k] + second[k]) * inv);
}

/** Of a value that a whole step lessens by `share` of it: the longest step, at most 1, that keeps it >= 0. */
const longest = (share: number): number => 1 / Math.max(1, share);

/** Goes a fraction of the longest step that keeps every value >= 0. */
function advance(system: System, targets: readonly number[], { delta, dt }: Direction): Iterate {
  const { shape, w, at, inverse, quotients, mu } = system;
  const { primal, dual, t } = at;
  const next = targets.map((target, k) => target - quotients[k] * delta[k]);
  const leastP = Math.min(...next.map((value, k) => value / primal[k]));
  const leastD = Math.min(...delta.map((value, k) => value * inverse[k]));
  const fraction = Math.max(LEAST_FRACTION, 1 - mu);
  const stepP = fraction * longest(1 - leastP);
  const stepD = fraction * longest(-leastD);
  const moved = primal.map((value, k) => Math.max(value + stepP * (next[k] - value), PRIMAL_FLOOR));
  const x = replicasOf(shape, moved).map((row, e) => {
    const toLoad = w[e] / sum(row); // a rounding error in sum x = w would flatter the value of x
    return row.map((value) => value * toLoad);
  });
  return {
    primal: [...moved.slice(0, shape.gpus), ...x.flat()],
    dual: dual.map((value, k) => Math.max(value + stepD * delta[k], DUAL_FLOOR)),
    t: t + stepP * dt,
  };
}
