// star_mesh: factors M = diag(excess) + Laplacian(W) without subtracting, and solves the system bordered by the speeds.
//
//   pivot D_k = e_k + sum_{j>k} W_jk;   l_ik = W_ik / D_k;   W_ij += l_ik W_jk;   e_i += l_ik e_k
//
// At the optimum s / y -> 0 on every tight GPU and M tends to a singular Laplacian: f32 Cholesky breaks down there. Eliminating node
// k as a star-mesh transform only ever adds positive numbers, so every entry keeps its relative accuracy.
//                                                  [Grassmann, Taksar, Heyman 1985; Alfa, Xue, Ye 2002]
// The border v is eliminated last, as a 2 x 2 pivot together with the last node.
//
// Declares  factor(), solve_bordered().
// Needs     gpus, experts, start_of(), gpu_of() of topology_record.wgsl; MAX_GPUS of lane.wgsl; d, inv_d, s, y, h, dy of newton_system.wgsl; speed() of scaling.wgsl.
// Barriers  none.

const TRIANGLE = MAX_GPUS * (MAX_GPUS - 1u) / 2u;

var<private> mesh: array<f32, TRIANGLE>;   // W, row by row: W_ij at i (i - 1) / 2 + j for i > j; becomes l
var<private> excess: array<f32, MAX_GPUS>;
var<private> pivot: array<f32, MAX_GPUS>;      // D
var<private> inv_pivot: array<f32, MAX_GPUS>;
var<private> q: array<f32, MAX_GPUS>;          // L^-1 v
var<private> o2: f32;                      // sum_{i < last} q_i^2 / D_i

fn row(i: u32) -> u32 { return i * (i - 1u) / 2u; }

fn factor() {
  for (var k = 0u; k < row(gpus); k++) { mesh[k] = 0.0; }
  for (var g = 0u; g < gpus; g++) { excess[g] = s[g] / y[g]; }
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    for (var r = first + 1u; r < start_of(e + 1u); r++) {
      let g = gpu_of(r);
      let weight = d[r] * inv_d[e];
      for (var k = first; k < r; k++) {
        let other = gpu_of(k);
        mesh[row(max(g, other)) + min(g, other)] += weight * d[k];
      }
    }
  }
  for (var k = 0u; k < gpus; k++) {
    var sum = excess[k];
    for (var i = k + 1u; i < gpus; i++) { sum += mesh[row(i) + k]; }
    pivot[k] = sum;
    inv_pivot[k] = 1.0 / sum;
    for (var i = k + 1u; i < gpus; i++) {
      let weight = mesh[row(i) + k];
      if (weight == 0.0) { continue; }  // sparse placements: most entries
      let l = weight * inv_pivot[k];
      excess[i] += l * excess[k];
      // Row i still reads the unscaled W_jk of the rows above it: they are scaled below.
      for (var j = k + 1u; j < i; j++) { mesh[row(i) + j] += l * mesh[row(j) + k]; }
    }
    for (var i = k + 1u; i < gpus; i++) { mesh[row(i) + k] *= inv_pivot[k]; }
  }

  o2 = 0.0;
  for (var i = 0u; i < gpus; i++) {
    var sum = speed(i);
    for (var k = 0u; k < i; k++) { sum += mesh[row(i) + k] * q[k]; }
    q[i] = sum;
    if (i + 1u < gpus) { o2 += sum * sum * inv_pivot[i]; }
  }
}

/// Solves M dy + v dt = h, v.dy = rs; h is overwritten. Returns dt.
fn solve_bordered(rs: f32) -> f32 {
  let last = gpus - 1u;
  var ph = 0.0;
  for (var i = 0u; i < gpus; i++) {
    var sum = h[i];
    for (var k = 0u; k < i; k++) { sum += mesh[row(i) + k] * h[k]; }
    h[i] = sum;
    if (i < last) { ph += q[i] * sum * inv_pivot[i]; }
  }
  let o = q[last];
  let inv_det = 1.0 / (pivot[last] * o2 + o * o);
  let step = (o * h[last] - pivot[last] * (rs - ph)) * inv_det;
  dy[last] = (o2 * h[last] + o * (rs - ph)) * inv_det;
  for (var i = last; i > 0u; i--) {
    let k = i - 1u;
    var sum = (h[k] - step * q[k]) * inv_pivot[k];
    for (var j = i; j < gpus; j++) { sum += mesh[row(j) + k] * dy[j]; }
    dy[k] = sum;
  }
  return step;
}
