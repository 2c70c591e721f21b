// interior_point: Mehrotra's predictor-corrector on the replica form of one LP, in private memory.    [Mehrotra 1992]
//
// Each Newton step is a G x G system M dy + v dt = h, v.dy = 1 - v.y, whatever the number of experts: with d_r = x_r / z_r and
// D_e = sum_{r of e} d_r, M = diag(s / y) + sum_e (diag(d) - d d' / D_e) is a graph Laplacian plus a positive diagonal. It is solved for
// the new x' and s' themselves, so that residuals cannot grow: with rho_r and eta_g the targets of x z and s y over z and y,
//   c_e = (w_e - sum rho_r) / D_e,   h_g = b_g - v_g t + eta_g + sum_{r on g} (rho_r + d_r c_e)
//   dz_r = dy_{g(r)} - c_e - sum_k d_k dy_{g(k)} / D_e,   x'_r = rho_r - d_r dz_r,   s'_g = eta_g - (s_g / y_g) dy_g
// The predictor's targets are 0: there dx / x = -1 - u with u = dz / z, so u alone tells both step lengths, the mu that follows, and
// the corrector's second-order terms -dx dz = x z (u + u^2). The start is strictly feasible: no phase 1. The best x seen is kept.
// It is judged against the best cut (cut_sweep.wgsl); no dual bound is evaluated, because the dual bound of y is a weighted
// mean of the bounds of the swept cuts (the Lovasz extension), hence never better than the best.
//
// Declares  interior_point(), best_x [R] in tokens.
// Needs     tokens, MAX_GPUS, MAX_REPLICAS of lane.wgsl; gpus, experts, start_of(), gpu_of(), MAX_EXPERTS of topology_record.wgsl; scale, b, bound, speed(), scale_loads()
//           of scaling.wgsl; y, s, d, inv_d, h, dy of newton_system.wgsl; sweep_cuts() of cut_sweep.wgsl; factor(), solve_bordered() of
//           star_mesh.wgsl; is_close(), MAX_ITERATIONS, LOAD_FLOOR, PRIMAL_FLOOR, DUAL_FLOOR, START_SLACK, LEAST_FRACTION of tolerances.wgsl.
// Barriers  none.

const HUGE = 1e30;

var<private> w: array<f32, MAX_EXPERTS>;      // scaled and floored loads
var<private> x: array<f32, MAX_REPLICAS>;
var<private> z: array<f32, MAX_REPLICAS>;
var<private> rho: array<f32, MAX_REPLICAS>;   // target of x z, over z
var<private> dz: array<f32, MAX_REPLICAS>;
var<private> best_x: array<f32, MAX_REPLICAS>;
var<private> dnu: array<f32, MAX_EXPERTS>;
var<private> eta: array<f32, MAX_GPUS>;       // target of s y, over y
var<private> carried: array<f32, MAX_GPUS>;   // b + sum x
var<private> t: f32;
var<private> dt: f32;
var<private> best: f32;                   // value of best_x
var<private> variables: f32;

fn start_point() {
  variables = f32(gpus);
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    let given = f32(tokens[e]);
    w[e] = max(given * scale, LOAD_FLOOR);
    for (var r = first; r < end; r++) {
      x[r] = w[e] / f32(end - first);
      z[r] = 1.0 / f32(gpus);
      best_x[r] = 0.0;
    }
    variables += f32(end - first);
  }
  for (var g = 0u; g < gpus; g++) { y[g] = 1.0 / f32(gpus); }
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

/// d, 1 / D, the predictor's targets, and the sum of all products x z and s y.
fn quotients() -> f32 {
  var products = 0.0;
  for (var g = 0u; g < gpus; g++) {
    products += s[g] * y[g];
    eta[g] = 0.0;
  }
  for (var e = 0u; e < experts; e++) {
    var sum = 0.0;
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      products += x[r] * z[r];
      d[r] = x[r] / z[r];
      rho[r] = 0.0;
      sum += d[r];
    }
    inv_d[e] = 1.0 / sum;
  }
  return products;
}

/// Sets dy, dz and dt towards the targets rho and eta.
fn newton_direction(rs: f32) {
  for (var g = 0u; g < gpus; g++) { h[g] = b[g] - speed(g) * t + eta[g]; }
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var unserved = w[e];
    for (var r = first; r < end; r++) { unserved -= rho[r]; }
    let c = unserved * inv_d[e];
    dnu[e] = c;
    for (var r = first; r < end; r++) { h[gpu_of(r)] += rho[r] + d[r] * c; }
  }
  dt = solve_bordered(rs);
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var weighted = 0.0;
    for (var r = first; r < end; r++) { weighted += d[r] * dy[gpu_of(r)]; }
    let step = dnu[e] + weighted * inv_d[e];
    for (var r = first; r < end; r++) { dz[r] = dy[gpu_of(r)] - step; }
  }
}

/// From the predictor to the corrector's targets: rho = (sigma mu - dx dz) / z, eta likewise.
fn aim_corrector(products: f32) {
  var least = 0.0;  // of u over all pairs
  var most = -1.0;
  var first = 0.0;  // sum x z u
  var second = 0.0; // sum x z u^2
  for (var g = 0u; g < gpus; g++) {
    let u = dy[g] / y[g];
    let term = s[g] * dy[g];
    least = min(least, u);
    most = max(most, u);
    first += term;
    second += term * u;
    eta[g] = term + term * u;
  }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      let u = dz[r] / z[r];
      let term = x[r] * dz[r];
      least = min(least, u);
      most = max(most, u);
      first += term;
      second += term * u;
      rho[r] = term + term * u;
    }
  }
  let step_p = 1.0 / max(1.0, 1.0 + most);
  let step_d = 1.0 / max(1.0, -least);
  // sum of x z (1 - step_p (1 + u)) (1 + step_d u), as a polynomial of u
  let both = step_p * step_d;
  let affine = (1.0 - step_p) * products + (step_d - both - step_p) * first - both * second;
  let ratio = max(affine / products, 0.0);
  let aim = ratio * ratio * ratio * products / variables;
  for (var g = 0u; g < gpus; g++) { eta[g] = (aim + eta[g]) / y[g]; }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) { rho[r] = (aim + rho[r]) / z[r]; }
  }
}

/// Goes `fraction` of the longest step that keeps every value >= 0. x' and s' take the place of their targets.
fn advance(fraction: f32) {
  var least_p = 0.0;  // of x' / x and s' / s
  var least_d = 0.0;  // of dz / z and dy / y
  for (var g = 0u; g < gpus; g++) {
    eta[g] -= s[g] / y[g] * dy[g];
    least_p = min(least_p, eta[g] / s[g]);
    least_d = min(least_d, dy[g] / y[g]);
  }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      rho[r] -= d[r] * dz[r];
      least_p = min(least_p, rho[r] / x[r]);
      least_d = min(least_d, dz[r] / z[r]);
    }
  }
  let step_p = fraction / max(1.0, 1.0 - least_p);
  let step_d = fraction / max(1.0, -least_d);
  t += step_p * dt;
  for (var g = 0u; g < gpus; g++) {
    s[g] = max(s[g] + step_p * (eta[g] - s[g]), PRIMAL_FLOOR);
    y[g] = max(y[g] + step_d * dy[g], DUAL_FLOOR);
  }
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var sum = 0.0;  // x is kept on sum x = w: a rounding error there would flatter its value
    for (var r = first; r < end; r++) {
      x[r] = max(x[r] + step_p * (rho[r] - x[r]), PRIMAL_FLOOR);
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
    if (is_close(best, bound) || iteration == MAX_ITERATIONS) { break; }

    let products = quotients();
    var rs = 1.0;
    for (var g = 0u; g < gpus; g++) { rs -= speed(g) * y[g]; }
    factor();
    newton_direction(rs);
    aim_corrector(products);
    newton_direction(rs);
    advance(max(LEAST_FRACTION, 1.0 - products / variables));
    iteration++;
  }
  return iteration;
}
