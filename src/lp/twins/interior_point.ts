/**
 * One predictor-corrector step of the interior point, without control flow, over any Field.    [Mehrotra 1992]
 *
 * Both directions solve for the new x' and s' themselves: with rho_r and eta_g the targets of x z and s y over z and y,
 *   c_e = (w_e - sum rho_r) / D_e,   h_g = b_g - v_g t + eta_g + sum_{r on g} (rho_r + d_r c_e),   M dy + v dt = h,   v.dy = 1 - v.y
 *   dz_r = dy_{g(r)} - c_e - sum_k d_k dy_{g(k)} / D_e,   x'_r = rho_r - d_r dz_r,   s'_g = eta_g - (s_g / y_g) dy_g
 * so that the primal residuals need no terms of their own. The predictor's targets are 0: there dx / x = -1 - dz / z, and u = dz / z
 * alone tells both step lengths, the mu that follows, and the second-order terms -dx dz = x z (u + u^2) of the corrector.
 */
import { type Field, numbers, reduced } from "../text/field.ts";
import { constants, type Iterate, measure, type NewtonShape } from "./newton_system.ts";
import type { Scaled } from "./scaling.ts";
import { type Factor, factor, solveBordered } from "./star_mesh.ts";

const { MAX_ITERATIONS, START_SLACK } = constants;

export interface Approached {
  /** Per expert with a choice and replica: the best x seen, in tokens. */
  x: number[][];
  /** [G] the last prices. */
  y: readonly number[];
  iterations: number;
}

/**
 * Twin of shaders/lp/interior_point.wgsl and group_interior_point.wgsl, in f64: they differ in the shape that they run on, and in the bound that they stop at.
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

/** A value for every pair of complementary variables: s and y of each GPU, x and z of each replica. */
interface Pairs<S> {
  readonly gpu: S[];
  /** Per expert and replica. */
  readonly replica: S[][];
}

/** What both directions of a step have in common. */
interface System<S> {
  readonly f: Field<S>;
  readonly shape: NewtonShape;
  readonly w: readonly S[];
  readonly at: Iterate<S>;
  /** 1 / y and 1 / z. */
  readonly inverse: Pairs<S>;
  /** s y and x z, */
  readonly products: Pairs<S>;
  /** their sum, */
  readonly total: S;
  /** and their mean. */
  readonly mu: S;
  /** s / y */
  readonly theta: S[];
  /** x / z */
  readonly d: S[][];
  readonly invD: S[];
  /** b - v t */
  readonly over: S[];
  /** 1 - v.y */
  readonly rs: S;
  readonly factored: Factor<S>;
}

interface Direction<S> {
  readonly dy: S[];
  readonly dz: S[][];
  readonly dt: S;
}

/** One step from `at`, where `sumVy` was measured. */
function step<S>(
  f: Field<S>,
  shape: NewtonShape,
  b: readonly S[],
  w: readonly S[],
  at: Iterate<S>,
  sumVy: S,
): Iterate<S> {
  const system = newtonSystem(f, shape, b, w, at, sumVy);
  const targets = corrector(system, direction(system));
  const corrected = direction(system, targets);
  return advance(system, targets, corrected);
}

const perGpu = <T>({ gpus }: NewtonShape, of: (g: number) => T): T[] => Array.from({ length: gpus }, (_, g) => of(g));
const perReplica = <T>({ experts }: NewtonShape, of: (e: number, r: number, g: number) => T): T[][] =>
  experts.map((gs, e) => gs.map((g, r) => of(e, r, g)));
const perPair = <T>(shape: NewtonShape, ofGpu: (g: number) => T, ofReplica: (e: number, r: number) => T): Pairs<T> => ({
  gpu: perGpu(shape, ofGpu),
  replica: perReplica(shape, ofReplica),
});
const values = <T>({ gpu, replica }: Pairs<T>): T[] => [...gpu, ...replica.flat()];

function newtonSystem<S>(
  f: Field<S>,
  shape: NewtonShape,
  b: readonly S[],
  w: readonly S[],
  at: Iterate<S>,
  sumVy: S,
): System<S> {
  const { x, z, y, s, t } = at;
  const { speed } = shape;
  const one = f.constant(1);
  const inverse = perPair(
    shape,
    (g) => f.div(one, y[g]),
    (e, r) => f.div(one, z[e][r]),
  );
  const d = perReplica(shape, (e, r) => f.mul(x[e][r], inverse.replica[e][r]));
  const theta = perGpu(shape, (g) => f.mul(s[g], inverse.gpu[g]));
  const invD = d.map((row) => f.div(one, f.sum(row)));
  const products = perPair(
    shape,
    (g) => f.mul(s[g], y[g]),
    (e, r) => f.mul(x[e][r], z[e][r]),
  );
  const all = values(products);
  const total = f.sum(all);
  const mu = f.mul(total, f.constant(1 / all.length));
  const over = b.map((load, g) => f.sub(load, speed[g] === 1 ? t : f.mul(f.constant(speed[g]), t)));
  const rs = f.sub(one, sumVy);
  const factored = factor(f, shape, theta, d, invD);
  return { f, shape, w, at, inverse, products, total, mu, theta, d, invD, over, rs, factored };
}

/** Towards the targets eta and rho; none: towards 0. */
function direction<S>({ f, shape, w, d, invD, over, rs, factored }: System<S>, targets?: Pairs<S>): Direction<S> {
  const c = w.map((load, e) => f.mul(targets ? f.sub(load, f.sum(targets.replica[e])) : load, invD[e]));
  const terms = over.map((load, g) => (targets ? [load, targets.gpu[g]] : [load]));
  for (const [e, replicas] of shape.experts.entries()) {
    for (const [r, g] of replicas.entries()) {
      const pull = f.mul(d[e][r], c[e]);
      terms[g].push(targets ? f.sum([targets.replica[e][r], pull]) : pull);
    }
  }
  const h = terms.map((list) => f.sum(list));
  const { dy, dt } = solveBordered(f, shape, factored, h, rs);
  const dnu = shape.experts.map((gs, e) => {
    const weighted = f.sum(gs.map((g, r) => f.mul(d[e][r], dy[g])));
    return f.sum([c[e], f.mul(weighted, invD[e])]);
  });
  return { dy, dt, dz: perReplica(shape, (e, _, g) => f.sub(dy[g], dnu[e])) };
}

/** From the predictor to the corrector's targets: eta = (sigma mu - ds dy) / y, rho likewise. */
function corrector<S>(system: System<S>, { dy, dz }: Direction<S>): Pairs<S> {
  const { f, shape, inverse, products } = system;
  const u = perPair(
    shape,
    (g) => f.mul(dy[g], inverse.gpu[g]),
    (e, r) => f.mul(dz[e][r], inverse.replica[e][r]),
  );
  const [primal, dual] = affineSteps(f, u);
  const first = times(f, shape, products, u);
  const second = times(f, shape, first, u);
  const aim = centring(system, primal, dual, first, second);
  return perPair(
    shape,
    (g) => f.mul(f.sum([aim, first.gpu[g], second.gpu[g]]), inverse.gpu[g]),
    (e, r) => f.mul(f.sum([aim, first.replica[e][r], second.replica[e][r]]), inverse.replica[e][r]),
  );
}

function times<S>(f: Field<S>, shape: NewtonShape, a: Pairs<S>, b: Pairs<S>): Pairs<S> {
  return perPair(
    shape,
    (g) => f.mul(a.gpu[g], b.gpu[g]),
    (e, r) => f.mul(a.replica[e][r], b.replica[e][r]),
  );
}

/** How far the predictor may go, in the primal and in the dual variables. */
function affineSteps<S>(f: Field<S>, u: Pairs<S>): [primal: S, dual: S] {
  const most = reduced(values(u), f.max);
  const primal = longest(f, f.sum([f.constant(1), most]));
  return [primal, longest(f, f.sub(f.constant(0), least(f, u)))];
}

/** The longest step along which a value stays >= 0, from the least value' / value, or value' / value - 1 as `less`: 1 / max(1, 1 - least). */
const longest = <S>(f: Field<S>, less: S): S => f.div(f.constant(1), f.max(f.constant(1), less));
const least = <S>(f: Field<S>, pairs: Pairs<S>): S => reduced(values(pairs), f.min);

/** sigma mu = (mu_affine / mu)^3 mu, where mu_affine is the mean product after the predictor's steps. */
function centring<S>({ f, total, mu }: System<S>, primal: S, dual: S, first: Pairs<S>, second: Pairs<S>): S {
  // sum of x z (1 - alpha_p (1 + u)) (1 + alpha_d u) over all pairs, as a polynomial of u.
  const both = f.mul(primal, dual);
  const constant = f.mul(f.sub(f.constant(1), primal), total);
  const linear = f.mul(f.sub(f.sub(dual, both), primal), f.sum(values(first)));
  const affine = f.sub(f.sum([constant, linear]), f.mul(both, f.sum(values(second))));
  const ratio = f.max(f.div(affine, total), f.constant(0));
  return f.mul(f.mul(f.mul(ratio, ratio), ratio), mu);
}

/** Goes most of the way to the boundary. */
function advance<S>(system: System<S>, targets: Pairs<S>, { dy, dz, dt }: Direction<S>): Iterate<S> {
  const { f, shape, w, at, theta, d } = system;
  const { x, z, y, s, t } = at;
  const nextX = perReplica(shape, (e, r) => f.sub(targets.replica[e][r], f.mul(d[e][r], dz[e][r])));
  const nextS = perGpu(shape, (g) => f.sub(targets.gpu[g], f.mul(theta[g], dy[g])));
  const [primal, dual] = lengths(system, { gpu: nextS, replica: nextX }, dy, dz);
  const towards = (value: S, next: S) => f.sum([value, f.mul(primal, f.sub(next, value))]);
  const along = (value: S, delta: S) => f.sum([value, f.mul(dual, delta)]);
  const primalFloor = f.constant(constants.PRIMAL_FLOOR);
  const dualFloor = f.constant(constants.DUAL_FLOOR);
  const free = perReplica(shape, (e, r) => f.max(towards(x[e][r], nextX[e][r]), primalFloor));
  const onSimplex = free.map((row, e) => {
    const factorOf = f.div(w[e], f.sum(row)); // a rounding error in sum x = w would flatter the value of x
    return row.map((value) => f.mul(value, factorOf));
  });
  return {
    x: onSimplex,
    z: perReplica(shape, (e, r) => f.max(along(z[e][r], dz[e][r]), dualFloor)),
    y: perGpu(shape, (g) => f.max(along(y[g], dy[g]), dualFloor)),
    s: perGpu(shape, (g) => f.max(towards(s[g], nextS[g]), primalFloor)),
    t: f.sum([t, f.mul(primal, dt)]),
  };
}

/** Step lengths: a fraction of the longest that keep x, s and z, y >= 0. */
function lengths<S>(system: System<S>, next: Pairs<S>, dy: S[], dz: S[][]): [primal: S, dual: S] {
  const { f, shape, at, inverse, mu } = system;
  const leastP = least(
    f,
    perPair(
      shape,
      (g) => f.div(next.gpu[g], at.s[g]),
      (e, r) => f.div(next.replica[e][r], at.x[e][r]),
    ),
  );
  const leastD = least(
    f,
    perPair(
      shape,
      (g) => f.mul(dy[g], inverse.gpu[g]),
      (e, r) => f.mul(dz[e][r], inverse.replica[e][r]),
    ),
  );
  const fraction = f.max(f.constant(constants.LEAST_FRACTION), f.sub(f.constant(1), mu));
  const primal = f.mul(fraction, longest(f, f.sub(f.constant(1), leastP)));
  return [primal, f.mul(fraction, longest(f, f.sub(f.constant(0), leastD)))];
}
