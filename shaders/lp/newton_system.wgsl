// newton_system: what the parts of the interior point of *lane* share: the Newton system M dy + v dt = h, v.dy = 1 - v.y, and what M is made of.
//
//   M = diag(s / y) + sum_e (diag(d) - d d' / D_e),   d_r = x_r / z_r,   D_e = sum_{r of e} d_r
//
// Declares  y [G] prices, s [G] slacks, d [R], inv_d, h [G], dy [G].
// Needs     MAX_GPUS, MAX_REPLICAS of lane.wgsl; MAX_EXPERTS of topology_record.wgsl.
// Barriers  none.

var<private> y: array<f32, MAX_GPUS>;
var<private> s: array<f32, MAX_GPUS>;
var<private> d: array<f32, MAX_REPLICAS>;
var<private> inv_d: array<f32, MAX_EXPERTS>;  // 1 / D_e
var<private> h: array<f32, MAX_GPUS>;         // solve_bordered() overwrites it
var<private> dy: array<f32, MAX_GPUS>;
