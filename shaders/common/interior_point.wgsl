// interior_point: Mehrotra's predictor-corrector on the replica form of one LP, in private memory.    [Mehrotra 1992]
//
// Each Newton step is a G x G system M dy + v dt = h, v.dy = rs, whatever the number of experts: with d_r = x_r / z_r and
// D_e = sum_{r of e} d_r, M = diag(s / y) + sum_e (diag(d) - d d' / D_e) is a graph Laplacian plus a positive diagonal. The start is
// strictly feasible, so there is no phase 1; residuals are recomputed and fed back in every iteration, which keeps f32 honest.
// The best x seen is kept. It is judged against the best cut (common/cut_sweep.wgsl); no dual bound is evaluated, because the
// dual bound of y is a weighted mean of the bounds of the swept cuts (the Lovasz extension), hence never better than the best.
//
// Declares  best_x [R] in tokens.   Needs  gpus, experts, tokens, member of solve.wgsl;
// common/scaling.wgsl.   No barriers.

const MAX_ITERATIONS = 16u;      // ordinary instances take 4 to 5
const TOLERANCE = 1e-4;          // relative gap to stop at: the exact finish needs 0 to 3 moves from here
const LOAD_FLOOR = 1e-6;         // smaller loads cannot move a GPU by more, and x needs room above its own floor; none is 0
const PRIMAL_FLOOR = 1e-9;       // of x and s,
const DUAL_FLOOR = 1e-12;        // of z and y: below, f32 quotients lose their meaning
const START_SLACK = 0.1;         // of the first t above the hottest GPU, in mean loads
const LEAST_FRACTION = 0.9;      // of the way to the boundary; 1 - mu where that is more
const HUGE = 1e30;

var<private> w: array<f32, MAX_EXPERTS>;      // scaled and floored loads
var<private> x: array<f32, MAX_REPLICAS>;
var<private> z: array<f32, MAX_REPLICAS>;
var<private> d: array<f32, MAX_REPLICAS>;
var<private> rho: array<f32, MAX_REPLICAS>;
var<private> dx: array<f32, MAX_REPLICAS>;
var<private> dz: array<f32, MAX_REPLICAS>;
var<private> best_x: array<f32, MAX_REPLICAS>;
var<private> nu: array<f32, MAX_EXPERTS>;
var<private> dnu: array<f32, MAX_EXPERTS>;
var<private> inv_d: array<f32, MAX_EXPERTS>;  // 1 / D_e
var<private> y: array<f32, MAX_GPUS>;
var<private> s: array<f32, MAX_GPUS>;
var<private> dy: array<f32, MAX_GPUS>;
var<private> ds: array<f32, MAX_GPUS>;
var<private> rc: array<f32, MAX_GPUS>;        // sigma mu - s y - [ds dy]
var<private> carried: array<f32, MAX_GPUS>;   // b + sum x
var<private> t: f32;
var<private> dt: f32;
var<private> best: f32;                   // value of best_x
var<private> variables: f32;
var<private> alpha_p: f32;
var<private> alpha_d: f32;

/// Certified relative gap of best_x, in scaled and shifted units.
fn gap() -> f32 { return (best - bound) / max(bound, LOAD_FLOOR); }

fn step_to_zero(value: f32, delta: f32, so_far: f32) -> f32 {
  if (delta < 0.0) { return min(so_far, -value / delta); }
  return so_far;
}

fn start_point() {
  variables = f32(gpus);
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    let given = f32(tokens[e]);
    w[e] = max(given * scale, LOAD_FLOOR);
    nu[e] = 0.0;
    for (var r = first; r < end; r++) {
      x[r] = w[e] / f32(end - first);
      z[r] = 1.0 / f32(gpus);
      dx[r] = 0.0;
      dz[r] = 0.0;
      best_x[r] = 0.0;
    }
    variables += f32(end - first);
  }
  for (var g = 0u; g < gpus; g++) {
    y[g] = 1.0 / f32(gpus);
    ds[g] = 0.0;
    dy[g] = 0.0;
  }
  best = HUGE;
  t = carry() + START_SLACK;
  for (var g = 0u; g < gpus; g++) { s[g] = speed(g) * t - carried[g]; }
}

/// Loads under x; returns the largest load / speed.
fn carry() -> f32 {
  for (var g = 0u; g < gpus; g++) { carried[g] = b[g]; }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) { carried[gpu_of(r)] += x[r]; }
  }
  var top = carried[0] / speed(0u);
  for (var g = 1u; g < gpus; g++) { top = max(top, carried[g] / speed(g)); }
  return top;
}

/// Keeps x if it is the best so far, undoing the floor of its loads.
fn keep_best(top: f32) {
  if (!(top < best)) { return; }
  best = top;
  for (var e = 0u; e < experts; e++) {
    let to_tokens = f32(tokens[e]) / w[e];
    for (var r = start_of(e); r < start_of(e + 1u); r++) { best_x[r] = x[r] * to_tokens; }
  }
}

/// d, 1 / D and mu.
fn quotients() -> f32 {
  var mu = 0.0;
  for (var g = 0u; g < gpus; g++) { mu += s[g] * y[g]; }
  for (var e = 0u; e < experts; e++) {
    var sum = 0.0;
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      mu += x[r] * z[r];
      d[r] = x[r] / z[r];
      sum += d[r];
    }
    inv_d[e] = 1.0 / sum;
  }
  return mu / variables;
}

/// One Newton direction for the targets x z = s y = aim; `second` is 1 where the predictor's second-order terms count.
/// Sets dx, dz, dy, ds, dnu, dt and the longest steps alpha_p, alpha_d.
fn newton_direction(aim: f32, second: f32, rs: f32) {
  for (var g = 0u; g < gpus; g++) {
    rc[g] = aim - s[g] * y[g] - second * ds[g] * dy[g];
    let rp = speed(g) * t - carried[g] - s[g];
    h[g] = rc[g] / y[g] - rp;
  }
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var unserved = w[e];
    for (var r = first; r < end; r++) {
      let rd = y[gpu_of(r)] - nu[e] - z[r];
      rho[r] = (aim - second * dx[r] * dz[r]) / z[r] - x[r] - d[r] * rd;
      unserved -= x[r] + rho[r];
    }
    let c = unserved * inv_d[e];
    dnu[e] = c;
    for (var r = first; r < end; r++) { h[gpu_of(r)] += rho[r] + d[r] * c; }
  }

  dt = solve_bordered(rs);

  alpha_p = 1.0;
  alpha_d = 1.0;
  for (var g = 0u; g < gpus; g++) {
    ds[g] = (rc[g] - s[g] * dy[g]) / y[g];
    alpha_p = step_to_zero(s[g], ds[g], alpha_p);
    alpha_d = step_to_zero(y[g], dy[g], alpha_d);
  }
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var weighted = 0.0;
    for (var r = first; r < end; r++) { weighted += d[r] * dy[gpu_of(r)]; }
    dnu[e] += weighted * inv_d[e];
    for (var r = first; r < end; r++) {
      let g = gpu_of(r);
      let step = dy[g] - dnu[e];
      dz[r] = step + (y[g] - nu[e] - z[r]);
      dx[r] = rho[r] - d[r] * step;
      alpha_p = step_to_zero(x[r], dx[r], alpha_p);
      alpha_d = step_to_zero(z[r], dz[r], alpha_d);
    }
  }
}

/// mu after the longest steps along the current direction.
fn affine_mu() -> f32 {
  var mu = 0.0;
  for (var g = 0u; g < gpus; g++) { mu += (s[g] + alpha_p * ds[g]) * (y[g] + alpha_d * dy[g]); }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      mu += (x[r] + alpha_p * dx[r]) * (z[r] + alpha_d * dz[r]);
    }
  }
  return mu / variables;
}

fn advance(fraction: f32) {
  let step_p = fraction * alpha_p;
  let step_d = fraction * alpha_d;
  t += step_p * dt;
  for (var g = 0u; g < gpus; g++) {
    s[g] = max(s[g] + step_p * ds[g], PRIMAL_FLOOR);
    y[g] = max(y[g] + step_d * dy[g], DUAL_FLOOR);
  }
  for (var e = 0u; e < experts; e++) {
    nu[e] += step_d * dnu[e];
    let first = start_of(e);
    let end = start_of(e + 1u);
    var sum = 0.0;  // x is kept on sum x = w: a rounding error there would flatter its value
    for (var r = first; r < end; r++) {
      x[r] = max(x[r] + step_p * dx[r], PRIMAL_FLOOR);
      z[r] = max(z[r] + step_d * dz[r], DUAL_FLOOR);
      sum += x[r];
    }
    for (var r = first; r < end; r++) { x[r] *= w[e] / sum; }
  }
}

/// Returns the number of iterations; leaves best_x, best, and the best cut in member and bound.
fn interior_point() -> u32 {
  scale_loads();
  start_point();
  if (scale == 0.0) { return 0u; }  // nothing to move: best_x is 0
  var iteration = 0u;
  loop {
    keep_best(carry());
    sweep_cuts();
    if (gap() <= TOLERANCE || iteration == MAX_ITERATIONS) { return iteration; }

    let mu = quotients();
    var rs = 1.0;
    for (var g = 0u; g < gpus; g++) { rs -= speed(g) * y[g]; }
    factor();
    newton_direction(0.0, 0.0, rs);
    let ratio = affine_mu() / mu;
    newton_direction(ratio * ratio * ratio * mu, 1.0, rs);
    advance(max(LEAST_FRACTION, 1.0 - mu));
    iteration++;
  }
}
