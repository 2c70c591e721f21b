// group_elimination: star_mesh.wgsl by many lanes along a recorded fill pattern; no G x G matrix anywhere.
//
//   pivot D_k = e_k + sum_{i>k} W_ik;   l_ik = W_ik / D_k;   W_ij = sum share_r share_s + sum_k l_ik W_jk;   e_i = theta_i + sum_k l_ik e_k
//
// Additions of positive numbers only, so every entry keeps its relative accuracy.   [Grassmann, Taksar, Heyman 1985; Alfa, Xue, Ye 2002]
// The border v is eliminated last, as a 2 x 2 pivot together with the last place.
// A lane eliminates a *task*, a few places that depend on each other, and gathers all that goes into them (left-looking): no two lanes
// write the same. Tasks of a stage are independent, so lanes meet at a barrier between stages only. q = L^-1 v and the predictor's
// p = L^-1 h ride along with the factor.                                                     [src/lp/elimination.ts]
//
// Declares  eliminate(), forward(), backward(), Border, wg_p, wg_excess.
// Needs     topology, record, places, speed(), AT_..., WG, MAX_GPUS, MAX_ENTRIES of group.wgsl; wg_share, wg_pull, wg_y, wg_s, t of
//           group_newton_system.wgsl; wg_b of group_problem.wgsl; LEAST of totals.wgsl.
// Barriers  S - 1 in each of the three functions, for S stages.

var<workgroup> wg_weight: array<f32, MAX_ENTRIES>;  // W
var<workgroup> wg_l: array<f32, MAX_ENTRIES>;
var<workgroup> wg_inv_pivot: array<f32, MAX_GPUS>;
var<workgroup> wg_excess: array<f32, MAX_GPUS>;     // e; then the corrector's eta
var<workgroup> wg_q: array<f32, MAX_GPUS>;
var<workgroup> wg_p: array<f32, MAX_GPUS>;          // p; then dy

/// What the 2 x 2 pivot needs, as every lane knows it once the parts are added up. Of the lane that has the last place: the rest.
struct Border {
  o2: f32,      // sum_{k < last} q_k^2 / D_k
  ph: f32,      // sum_{k < last} q_k p_k / D_k
  pivot: f32,   // of the last place, LEAST in other lanes,
  q: f32,
  p: f32,
}

fn task_end(task: u32) -> u32 { return topology[record + AT_TASK + task + 1u]; }
fn column(k: u32) -> u32 { return topology[record + AT_COLUMN + k]; }

/// h_k but for eta_k.
fn right_side(k: u32) -> f32 {
  var sum = wg_b[k] - speed(k) * t;
  let at = record + AT_ON_GPU + k;
  for (var i = topology[at]; i < topology[at + 1u]; i++) { sum += wg_pull[topology[record + i]]; }
  return sum;
}

/// W of an entry from the experts on both of its places, and from the places eliminated before that reach both.
fn mesh_weight(entry: u32) -> f32 {
  var sum = 0.0;
  let pairs = record + AT_PAIRS + entry;
  for (var i = topology[pairs]; i < topology[pairs + 1u]; i++) {
    let pair = topology[record + i];
    sum += wg_share[pair & 0xffffu] * wg_share[pair >> 16u];
  }
  let updates = record + AT_UPDATES + entry;
  for (var i = topology[updates]; i < topology[updates + 1u]; i++) {
    let update = topology[record + i];
    sum += wg_l[update & 0xffffu] * wg_weight[update >> 16u];
  }
  return sum;
}

fn eliminate_place(k: u32, border: ptr<function, Border>) {
  var own = wg_s[k] / wg_y[k];
  var p = right_side(k);
  var q = speed(k);
  let at = record + AT_ROW + k;
  for (var i = topology[at]; i < topology[at + 1u]; i++) {
    let item = topology[record + i];
    let l = wg_l[item & 0xffffu];
    own += l * wg_excess[item >> 16u];
    p += l * wg_p[item >> 16u];
    q += l * wg_q[item >> 16u];
  }
  let first = column(k);
  let end = column(k + 1u);
  var pivot = own;
  for (var entry = first; entry < end; entry++) {
    let weight = mesh_weight(entry);
    wg_weight[entry] = weight;
    pivot += weight;
  }
  let inv_pivot = 1.0 / pivot;
  for (var entry = first; entry < end; entry++) { wg_l[entry] = wg_weight[entry] * inv_pivot; }
  wg_inv_pivot[k] = inv_pivot;
  wg_excess[k] = own;
  wg_p[k] = p;
  wg_q[k] = q;
  if (k + 1u < places) {
    (*border).o2 += q * q * inv_pivot;
    (*border).ph += q * p * inv_pivot;
  } else {
    (*border).pivot = pivot;
    (*border).q = q;
    (*border).p = p;
  }
}

/// Factors M and solves L q = v, L p = h for the predictor's h. Returns this lane's part of the border.
fn eliminate(lane: u32, stages: u32) -> Border {
  var border = Border(0.0, 0.0, LEAST, LEAST, LEAST);
  for (var stage = 0u; stage < stages; stage++) {
    if (stage > 0u) { workgroupBarrier(); }
    let end = topology[record + AT_STAGE + stage + 1u];
    for (var task = topology[record + AT_STAGE + stage] + lane; task < end; task += WG) {
      for (var k = topology[record + AT_TASK + task]; k < task_end(task); k++) { eliminate_place(k, &border); }
    }
  }
  return border;
}

/// Solves L p = h for the corrector's h. Returns this lane's part of ph, and of p at the last place.
fn forward(lane: u32, stages: u32) -> vec2f {
  var border = vec2f(0.0, LEAST);
  for (var stage = 0u; stage < stages; stage++) {
    if (stage > 0u) { workgroupBarrier(); }
    let end = topology[record + AT_STAGE + stage + 1u];
    for (var task = topology[record + AT_STAGE + stage] + lane; task < end; task += WG) {
      for (var k = topology[record + AT_TASK + task]; k < task_end(task); k++) {
        var p = right_side(k) + wg_excess[k];
        let at = record + AT_ROW + k;
        for (var i = topology[at]; i < topology[at + 1u]; i++) {
          let item = topology[record + i];
          p += wg_l[item & 0xffffu] * wg_p[item >> 16u];
        }
        wg_p[k] = p;
        if (k + 1u < places) { border.x += wg_q[k] * p * wg_inv_pivot[k]; } else { border.y = p; }
      }
    }
  }
  return border;
}

/// dy, in place of p, and dt, which it returns. `border` is that of all lanes; rs = 1 - v.y.
fn backward(lane: u32, stages: u32, border: Border, rs: f32) -> f32 {
  let rest = rs - border.ph;
  let inv_det = 1.0 / (border.pivot * border.o2 + border.q * border.q);
  let dt = (border.q * border.p - border.pivot * rest) * inv_det;
  for (var stage = stages; stage > 0u; stage--) {
    if (stage < stages) { workgroupBarrier(); }
    let end = topology[record + AT_STAGE + stage];
    for (var task = topology[record + AT_STAGE + stage - 1u] + lane; task < end; task += WG) {
      for (var k = task_end(task); k > topology[record + AT_TASK + task]; k--) {
        let place = k - 1u;
        var dy = (wg_p[place] - dt * wg_q[place]) * wg_inv_pivot[place];
        for (var entry = column(place); entry < column(k); entry++) {
          dy += wg_l[entry] * wg_p[topology[record + AT_REACH + entry]];
        }
        if (k == places) { dy = (border.o2 * border.p + border.q * rest) * inv_det; }
        wg_p[place] = dy;
      }
    }
  }
  return dt;
}
