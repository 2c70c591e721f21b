// group_newton_system: newton_system.wgsl by the lanes of a group: what the parts of their interior point share.
//
// Declares  wg_y [places] prices, wg_s [places] slacks, wg_share [R], wg_pull [R], t.
// Needs     MAX_GPUS, MAX_REPLICAS of group.wgsl.
// Barriers  none.

var<workgroup> wg_y: array<f32, MAX_GPUS>;
var<workgroup> wg_s: array<f32, MAX_GPUS>;
var<workgroup> wg_share: array<f32, MAX_REPLICAS>;  // d_r / sqrt(D_e); then rho_r; then x'_r
var<workgroup> wg_pull: array<f32, MAX_REPLICAS>;   // rho_r + d_r c_e; between the directions u_r; at last dz_r

var<private> t: f32;
