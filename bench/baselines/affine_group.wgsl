// affine_group: primal affine scaling with big M, a fixed number of steps, one LP per workgroup.
//
//   min c x  s.t.  A x = b, x > 0;   (A D^2 A') u = A D^2 c,  r = c - A' u,  x_j *= 1 - STEP x_j r_j / max_j x_j r_j,  D = diag(x)
//
// The method of DeepSeek's LPLB and of SGLang's "lp" dispatch in its own form: A is dense, its product with D^2 A' is a dense one, and the
// matrix is factored densely in workgroup memory by all invocations together.
//
// Shapes    form: [layers, stride] f32 records: rows, columns, then A by rows. The last column is t. LP p uses record p % layers.
//           b: [B, MAX_ROWS] f32.   x (out): [B, MAX_COLUMNS] f32; all 1 where a pivot was not positive.
// Bindings  group 0:  0 form   1 b   2 x (out)   3 params.
// Launch    one LP per workgroup of WG; grid [gx, gy, 1] folded so that gx * gy >= B.
//           Workgroup memory 2 MAX_ROWS (MAX_ROWS + 5) + 12 MAX_COLUMNS + 4 WG bytes. Barriers per step: 2 rows + log2(WG) + 4.
// Declared by bench/baselines/affine_kernels.ts: MAX_ROWS, MAX_COLUMNS, MAX_PACKED, STEPS.
// Twin      affineScaling in bench/baselines/affine_scaling.ts (f64), compared in test/bench/affine_scaling.test.ts.
override WG: u32;     // a power of two
override BIG_M: f32;  // cost of the artificial column
override STEP: f32;   // share of the way to the boundary

struct Params {
  batch: u32,   // B
  layers: u32,  // records in `form`
  stride: u32,  // words of a record
}

@group(0) @binding(0) var<storage, read> form: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> x_out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const AT_MATRIX = 2u;

var<workgroup> wg_matrix: array<f32, MAX_PACKED>;    // lower triangle by rows
var<workgroup> wg_u: array<f32, MAX_ROWS>;
var<workgroup> wg_artificial: array<f32, MAX_ROWS>;  // b - A 1, the column after t
var<workgroup> wg_x: array<f32, MAX_COLUMNS>;
var<workgroup> wg_square: array<f32, MAX_COLUMNS>;     // of x
var<workgroup> wg_d: array<f32, MAX_COLUMNS>;
var<workgroup> wg_most: array<f32, WG>;

fn packed(i: u32, k: u32) -> u32 { return i * (i + 1u) / 2u + k; }

/// A D^2 A' and A D^2 c, each entry by one invocation.
fn multiply(lane: u32, a: u32, rows: u32, columns: u32) {
  let last = wg_square[columns];
  for (var entry = lane; entry < rows * rows; entry += WG) {
    let i = entry / rows;
    let k = entry % rows;
    if (k > i) { continue; }
    var sum = last * wg_artificial[i] * wg_artificial[k];
    for (var j = 0u; j < columns; j++) {
      sum += form[a + i * columns + j] * form[a + k * columns + j] * wg_square[j];
    }
    wg_matrix[packed(i, k)] = sum;
  }
  let t = columns - 1u;
  for (var i = lane; i < rows; i += WG) {
    wg_u[i] = BIG_M * last * wg_artificial[i] + form[a + i * columns + t] * wg_square[t];
  }
}

/// matrix u = u by Cholesky without roots, L D L', column by column; column k is left as l_ik D_k, so that a step only reads it.
/// Every invocation sees the same pivots and returns the same: whether all were positive.
fn solve_positive(lane: u32, rows: u32) -> bool {
  var positive = true;
  for (var k = 0u; k < rows; k++) {
    let pivot = wg_matrix[packed(k, k)];
    positive = positive && pivot > 0.0;  // goes on all the same, so that the barriers stay uniform; the answer is discarded
    for (var i = k + 1u + lane; i < rows; i += WG) {
      let l = wg_matrix[packed(i, k)] / pivot;
      for (var j = k + 1u; j <= i; j++) { wg_matrix[packed(i, j)] -= l * wg_matrix[packed(j, k)]; }
      wg_u[i] -= l * wg_u[k];
    }
    workgroupBarrier();
  }
  for (var k = rows; k > 1u; k--) {
    let value = wg_u[k - 1u] / wg_matrix[packed(k - 1u, k - 1u)];
    for (var i = lane; i < k - 1u; i += WG) { wg_u[i] -= wg_matrix[packed(k - 1u, i)] * value; }
    workgroupBarrier();
  }
  for (var i = lane; i < rows; i += WG) { wg_u[i] /= wg_matrix[packed(i, i)]; }
  workgroupBarrier();
  return positive;
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  wg_most[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { wg_most[lane] = max(wg_most[lane], wg_most[lane + half]); }
    workgroupBarrier();
  }
  return wg_most[0];
}

@compute @workgroup_size(WG)
fn affine_group(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = wg.y * grid.x + wg.x;
  if (p >= params.batch) { return; }  // uniform over the workgroup, so legal before a barrier
  let record = (p % params.layers) * params.stride;
  let rows = u32(form[record]);
  let columns = u32(form[record + 1u]);  // without the artificial one
  let a = record + AT_MATRIX;

  for (var i = lane; i < rows; i += WG) {
    var rest = b[p * MAX_ROWS + i];
    for (var j = 0u; j < columns; j++) { rest -= form[a + i * columns + j]; }
    wg_artificial[i] = rest;
  }
  for (var j = lane; j <= columns; j += WG) { wg_x[j] = 1.0; }
  workgroupBarrier();

  var solved = true;
  for (var step = 0u; step < STEPS; step++) {
    for (var j = lane; j <= columns; j += WG) { wg_square[j] = wg_x[j] * wg_x[j]; }
    workgroupBarrier();
    multiply(lane, a, rows, columns);
    workgroupBarrier();
    solved = solve_positive(lane, rows) && solved;

    var most = 0.0;
    for (var j = lane; j <= columns; j += WG) {
      var reduced = select(0.0, 1.0, j == columns - 1u);
      if (j == columns) {
        reduced = BIG_M;
        for (var i = 0u; i < rows; i++) { reduced -= wg_artificial[i] * wg_u[i]; }
      } else {
        for (var i = 0u; i < rows; i++) { reduced -= form[a + i * columns + j] * wg_u[i]; }
      }
      wg_d[j] = wg_x[j] * reduced;
      most = max(most, wg_d[j]);
    }
    most = workgroup_max(most, lane);
    for (var j = lane; j <= columns; j += WG) {
      if (most > 0.0) { wg_x[j] *= 1.0 - STEP * wg_d[j] / most; }  // else optimal: nothing gets cheaper
    }
    workgroupBarrier();
  }
  for (var j = lane; j < columns; j += WG) { x_out[p * MAX_COLUMNS + j] = select(1.0, wg_x[j], solved); }
}
