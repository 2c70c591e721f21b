// group_interior_point: Mehrotra's predictor-corrector on the replica form of one LP, by the lanes of a group.    [Mehrotra 1992]
//
// The mathematics is that of src/lp/twins/interior_point.ts: both directions solve for the new x' and s' themselves,
//
//   c_e = (w_e - sum rho_r) / D_e,   h_g = b_g - v_g t + eta_g + sum_{r on g} (rho_r + d_r c_e),   M dy + v dt = h,   v.dy = 1 - v.y
//   dz_r = dy_{g(r)} - c_e - sum_k d_k dy_{g(k)} / D_e,   x'_r = rho_r - d_r dz_r,   s'_g = eta_g - (s_g / y_g) dy_g
//
// and the predictor's u = dz / z, dy / y alone tells its steps, the mu that follows, and the corrector's second-order terms.
// A lane owns whole experts with their replicas, and places. It stops on the dual bound of y, which needs no sorting. To save
// barriers, an iteration is measured together with the factor of the next, which is thrown away once.
//
// Declares  interior_point(), wg_best [R] in tokens, scaled_load().
// Needs     topology, record, places, experts, wg_tokens, start_of(), gpu_of(), speed(), AT_..., WG, MAX_REPLICAS of group.wgsl; scale, wg_b of
//           group_problem.wgsl; wg_y, wg_s, wg_share, wg_pull, t of group_newton_system.wgsl; Border, wg_p, wg_excess, eliminate(), forward(),
//           backward() of group_elimination.wgsl; Totals, LEAST of totals.wgsl; reduce(), reduce_uniform() of workgroup_reduce.wgsl or
//           subgroup_reduce.wgsl; is_close(), MAX_ITERATIONS, LOAD_FLOOR, PRIMAL_FLOOR, DUAL_FLOOR, START_SLACK, LEAST_FRACTION of tolerances.wgsl.
// Barriers  4 S + 9 per iteration (4 S + 2 with subgroups) for S stages: before each forward sweep 1, after each backward sweep 1, S - 1 in each of
//           the four, 3 (2) in the first reduction and 2 (0) in each of the other three. Once per LP S + 6 (S + 3): the start and the last look.

const HUGE = 1e30;

// Of a lane's own replicas, but for x, which carried() reads.
var<workgroup> wg_x: array<f32, MAX_REPLICAS>;
var<workgroup> wg_z: array<f32, MAX_REPLICAS>;
var<workgroup> wg_best: array<f32, MAX_REPLICAS>;  // the best x seen

fn scaled_load(e: u32) -> f32 { return max(f32(wg_tokens[e]) * scale, LOAD_FLOOR); }

fn carried(k: u32) -> f32 {
  var sum = wg_b[k];
  let at = record + AT_ON_GPU + k;
  for (var i = topology[at]; i < topology[at + 1u]; i++) { sum += wg_x[topology[record + i]]; }
  return sum;
}

fn start_point(lane: u32) {
  for (var e = lane; e < experts; e += WG) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    for (var r = first; r < end; r++) {
      wg_x[r] = scaled_load(e) / f32(end - first);
      wg_z[r] = 1.0 / f32(places);
    }
  }
  workgroupBarrier();  // x
  var own = Totals(vec4f(0.0), vec4f(LEAST));
  for (var k = lane; k < places; k += WG) { own.tops.x = max(own.tops.x, carried(k) / speed(k)); }
  t = reduce(own, lane).tops.x + START_SLACK;
  for (var k = lane; k < places; k += WG) {
    wg_y[k] = 1.0 / f32(places);
    wg_s[k] = speed(k) * t - carried(k);
  }
}

/// What the elimination and the predictor need of this lane's experts.
fn prepare(lane: u32) {
  for (var e = lane; e < experts; e += WG) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var sum = 0.0;
    for (var r = first; r < end; r++) { sum += wg_x[r] / wg_z[r]; }
    let c = scaled_load(e) / sum;
    let root = inverseSqrt(sum);
    for (var r = first; r < end; r++) {
      let d = wg_x[r] / wg_z[r];
      wg_share[r] = d * root;
      wg_pull[r] = d * c;
    }
  }
}

/// This lane's part of sum v y, of the dual bound times it, and of the largest load / speed.
fn measure(lane: u32) -> vec3f {
  var sum_vy = 0.0;
  var dual = 0.0;
  var top = LEAST;
  for (var k = lane; k < places; k += WG) {
    sum_vy += speed(k) * wg_y[k];
    dual += wg_b[k] * wg_y[k];
    top = max(top, carried(k) / speed(k));
  }
  for (var e = lane; e < experts; e += WG) {
    var least = HUGE;
    for (var r = start_of(e); r < start_of(e + 1u); r++) { least = min(least, wg_y[gpu_of(r)]); }
    dual += scaled_load(e) * least;
  }
  return vec3f(sum_vy, dual, top);
}

/// Keeps x, undoing the floor of its loads.
fn keep_best(lane: u32) {
  for (var e = lane; e < experts; e += WG) {
    let to_tokens = f32(wg_tokens[e]) / scaled_load(e);
    for (var r = start_of(e); r < start_of(e + 1u); r++) { wg_best[r] = wg_x[r] * to_tokens; }
  }
}

/// The price step of an expert: (c D + sum d dy) / D, where `served` are the targets rho of its replicas.
fn price_step(e: u32, served: f32) -> f32 {
  var sum = 0.0;
  var weighted = 0.0;
  for (var r = start_of(e); r < start_of(e + 1u); r++) {
    let d = wg_x[r] / wg_z[r];
    sum += d;
    weighted += d * wg_p[gpu_of(r)];
  }
  return (scaled_load(e) - served + weighted) / sum;
}

/// This lane's part of the sums of v, v u and v u^2 over the products v = x z, s y, and of the largest u and -u, of the predictor.
fn predict(lane: u32) -> Totals {
  var own = Totals(vec4f(0.0), vec4f(LEAST));
  for (var k = lane; k < places; k += WG) { add_product(&own, wg_s[k] * wg_y[k], wg_p[k] / wg_y[k]); }
  for (var e = lane; e < experts; e += WG) {
    let dnu = price_step(e, 0.0);
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      let u = (wg_p[gpu_of(r)] - dnu) / wg_z[r];
      wg_pull[r] = u;
      add_product(&own, wg_x[r] * wg_z[r], u);
    }
  }
  return own;
}

fn add_product(own: ptr<function, Totals>, product: f32, u: f32) {
  (*own).sums += vec4f(product, product * u, product * u * u, 0.0);
  (*own).tops = max((*own).tops, vec4f(u, -u, LEAST, LEAST));
}

/// sigma mu = (mu_affine / mu)^3 mu, where mu_affine is a polynomial of the predictor's steps.
fn target_product(all: Totals, mu: f32) -> f32 {
  let alpha_p = 1.0 / max(1.0, 1.0 + all.tops.x);
  let alpha_d = 1.0 / max(1.0, all.tops.y);
  let both_alphas = alpha_p * alpha_d;
  let affine = (1.0 - alpha_p) * all.sums.x + (alpha_d - both_alphas - alpha_p) * all.sums.y - both_alphas * all.sums.z;
  let ratio = max(affine / all.sums.x, 0.0);
  return ratio * ratio * ratio * mu;
}

/// eta, rho and what the corrector's right-hand side needs of them.
fn correct(lane: u32, aim: f32) {
  for (var k = lane; k < places; k += WG) {
    let u = wg_p[k] / wg_y[k];
    wg_excess[k] = aim / wg_y[k] + wg_s[k] * (u + u * u);
  }
  for (var e = lane; e < experts; e += WG) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var sum = 0.0;
    var served = 0.0;
    for (var r = first; r < end; r++) {
      let u = wg_pull[r];
      wg_share[r] = aim / wg_z[r] + wg_x[r] * (u + u * u);
      served += wg_share[r];
      sum += wg_x[r] / wg_z[r];
    }
    let c = (scaled_load(e) - served) / sum;
    for (var r = first; r < end; r++) { wg_pull[r] = wg_share[r] + wg_x[r] / wg_z[r] * c; }
  }
}

fn next_slack(k: u32) -> f32 { return wg_excess[k] - wg_s[k] / wg_y[k] * wg_p[k]; }

/// x' and dz, and this lane's part of the largest -x' / x and -dz / z.
fn directions(lane: u32) -> Totals {
  var own = Totals(vec4f(0.0), vec4f(LEAST));
  for (var k = lane; k < places; k += WG) {
    own.tops = max(own.tops, vec4f(-next_slack(k) / wg_s[k], -wg_p[k] / wg_y[k], LEAST, LEAST));
  }
  for (var e = lane; e < experts; e += WG) {
    var served = 0.0;
    for (var r = start_of(e); r < start_of(e + 1u); r++) { served += wg_share[r]; }
    let dnu = price_step(e, served);
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      let dz = wg_p[gpu_of(r)] - dnu;
      wg_pull[r] = dz;
      wg_share[r] -= wg_x[r] / wg_z[r] * dz;
      own.tops = max(own.tops, vec4f(-wg_share[r] / wg_x[r], -dz / wg_z[r], LEAST, LEAST));
    }
  }
  return own;
}

fn advance(lane: u32, step_p: f32, step_d: f32) {
  for (var k = lane; k < places; k += WG) {
    wg_s[k] = max(wg_s[k] + step_p * (next_slack(k) - wg_s[k]), PRIMAL_FLOOR);
    wg_y[k] = max(wg_y[k] + step_d * wg_p[k], DUAL_FLOOR);
  }
  for (var e = lane; e < experts; e += WG) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    var sum = 0.0;  // x is kept on sum x = w: a rounding error there would flatter its value
    for (var r = first; r < end; r++) {
      wg_x[r] = max(wg_x[r] + step_p * (wg_share[r] - wg_x[r]), PRIMAL_FLOOR);
      wg_z[r] = max(wg_z[r] + step_d * wg_pull[r], DUAL_FLOOR);
      sum += wg_x[r];
    }
    for (var r = first; r < end; r++) { wg_x[r] *= scaled_load(e) / sum; }
  }
}

/// Returns the number of iterations; leaves wg_best and y. `movable` and `stages` are uniform.
fn interior_point(lane: u32, stages: u32, movable: bool) -> u32 {
  if (!movable) { return 0u; }  // wg_best is 0, as WGSL leaves it
  start_point(lane);
  var best = HUGE;   // value of wg_best
  var bound = 0.0;
  var iteration = 0u;
  loop {
    prepare(lane);
    workgroupBarrier();  // x, y, share, pull
    var border = eliminate(lane, stages);
    let measured = measure(lane);
    let first = reduce_uniform(
      Totals(vec4f(border.o2, border.ph, measured.xy), vec4f(border.pivot, border.q, border.p, measured.z)), lane);
    let sum_vy = first.sums.z;
    let top = first.tops.w;
    bound = max(bound, first.sums.w / sum_vy);
    if (top < best) {
      best = top;
      keep_best(lane);
    }
    if (is_close(best, bound) || iteration == MAX_ITERATIONS) { break; }

    border = Border(first.sums.x, first.sums.y, first.tops.x, first.tops.y, first.tops.z);
    backward(lane, stages, border, 1.0 - sum_vy);
    workgroupBarrier();  // dy
    let predicted = reduce(predict(lane), lane);
    let mu = predicted.sums.x / (f32(places) + f32(start_of(experts)));
    correct(lane, target_product(predicted, mu));
    workgroupBarrier();  // pull, eta
    let part = forward(lane, stages);
    let second = reduce(Totals(vec4f(part.x, 0.0, 0.0, 0.0), vec4f(part.y, LEAST, LEAST, LEAST)), lane);
    border.ph = second.sums.x;
    border.p = second.tops.x;
    let dt = backward(lane, stages, border, 1.0 - sum_vy);
    workgroupBarrier();  // dy
    let longest = reduce(directions(lane), lane).tops;
    let fraction = max(LEAST_FRACTION, 1.0 - mu);
    let step_p = fraction / max(1.0, 1.0 + longest.x);
    advance(lane, step_p, fraction / max(1.0, longest.y));
    t += step_p * dt;
    iteration++;
  }
  return iteration;
}
