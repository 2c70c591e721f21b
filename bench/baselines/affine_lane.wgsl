// affine_lane: primal affine scaling with big M, a fixed number of steps, one LP per invocation.
//
//   min c x  s.t.  A x = b, x > 0;   (A D^2 A') u = A D^2 c,  r = c - A' u,  x_j *= 1 - STEP x_j r_j / max_j x_j r_j,  D = diag(x)
//
// The method of DeepSeek's LPLB and of SGLang's "lp" dispatch, in the form that suits an adapter with fast private memory: the matrix is
// dense and factored densely, as theirs is, but the few entries of A's columns are added into it one by one.
//
// Shapes    form: [layers, stride] u32 records as bench/baselines/affine_kernels.ts packs them; LP p uses record p % layers.
//           b: [B, MAX_ROWS] f32.   x (out): [B, MAX_COLUMNS] f32; all 1 where a pivot was not positive.
// Bindings  group 0:  0 form   1 b   2 x (out)   3 params.
// Launch    WG invocations per workgroup; grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers, no workgroup memory.
// Private   2 MAX_ROWS (MAX_ROWS + 5) + 8 MAX_COLUMNS bytes per lane.
// Declared by bench/baselines/affine_kernels.ts: MAX_ROWS, MAX_COLUMNS, MAX_PACKED, STEPS.
// Twin      affineScaling in bench/baselines/affine_scaling.ts (f64), compared in test/bench/affine_scaling.test.ts.
override WG: u32;
override BIG_M: f32;  // cost of the artificial column
override STEP: f32;   // share of the way to the boundary

struct Params {
  batch: u32,   // B
  layers: u32,  // records in `form`
  stride: u32,  // words of a record
}

@group(0) @binding(0) var<storage, read> form: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> x_out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// A record: rows, columns, starts [MAX_COLUMNS], then entries, each a row * 2 + 1 where the sign is negative. The last column is t.
const AT_START = 2u;
const AT_ENTRY = AT_START + MAX_COLUMNS;

var<private> matrix: array<f32, MAX_PACKED>;   // lower triangle by rows
var<private> u: array<f32, MAX_ROWS>;
var<private> artificial: array<f32, MAX_ROWS>; // b - A 1, the column after t
var<private> x: array<f32, MAX_COLUMNS>;
var<private> d: array<f32, MAX_COLUMNS>;

fn packed(i: u32, k: u32) -> u32 { return i * (i + 1u) / 2u + k; }
fn sign_of(entry: u32) -> f32 { return select(1.0, -1.0, (entry & 1u) != 0u); }

/// matrix u = u by Cholesky, both overwritten. Returns whether every pivot was positive.
fn solve_positive(rows: u32) -> bool {
  for (var i = 0u; i < rows; i++) {
    let row = packed(i, 0u);
    for (var k = 0u; k < i; k++) {
      let other = packed(k, 0u);
      var sum = matrix[row + k];
      for (var j = 0u; j < k; j++) { sum -= matrix[row + j] * matrix[other + j]; }
      matrix[row + k] = sum / matrix[other + k];
    }
    var pivot = matrix[row + i];
    for (var j = 0u; j < i; j++) { pivot -= matrix[row + j] * matrix[row + j]; }
    if (!(pivot > 0.0)) { return false; }
    matrix[row + i] = sqrt(pivot);
    var sum = u[i];
    for (var k = 0u; k < i; k++) { sum -= matrix[row + k] * u[k]; }
    u[i] = sum / matrix[row + i];
  }
  for (var i = rows; i > 0u; i--) {
    let value = u[i - 1u] / matrix[packed(i - 1u, i - 1u)];
    u[i - 1u] = value;
    for (var k = 0u; k < i - 1u; k++) { u[k] -= matrix[packed(i - 1u, k)] * value; }
  }
  return true;
}

@compute @workgroup_size(WG)
fn affine_lane(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = (wg.y * grid.x + wg.x) * WG + lane;
  if (p >= params.batch) { return; }
  let record = (p % params.layers) * params.stride;
  let rows = form[record];
  let columns = form[record + 1u];  // without the artificial one
  let start = record + AT_START;
  let entry = record + AT_ENTRY;

  for (var i = 0u; i < rows; i++) { artificial[i] = b[p * MAX_ROWS + i]; }
  for (var j = 0u; j < columns; j++) {
    for (var k = form[start + j]; k < form[start + j + 1u]; k++) {
      let one = form[entry + k];
      artificial[one >> 1u] -= sign_of(one);
    }
  }
  for (var j = 0u; j <= columns; j++) { x[j] = 1.0; }

  var solved = true;
  for (var step = 0u; step < STEPS && solved; step++) {
    let last = x[columns] * x[columns];
    for (var i = 0u; i < rows; i++) {
      u[i] = BIG_M * last * artificial[i];
      for (var k = 0u; k <= i; k++) { matrix[packed(i, k)] = last * artificial[i] * artificial[k]; }
    }
    for (var j = 0u; j < columns; j++) {
      let square = x[j] * x[j];
      for (var k = form[start + j]; k < form[start + j + 1u]; k++) {
        let one = form[entry + k];
        let value = square * sign_of(one);
        if (j == columns - 1u) { u[one >> 1u] += value; }
        for (var l = form[start + j]; l <= k; l++) {
          let other = form[entry + l];
          matrix[packed(one >> 1u, other >> 1u)] += value * sign_of(other);
        }
      }
    }
    solved = solve_positive(rows);

    var most = 0.0;
    for (var j = 0u; j < columns; j++) {
      var reduced = select(0.0, 1.0, j == columns - 1u);
      for (var k = form[start + j]; k < form[start + j + 1u]; k++) {
        let one = form[entry + k];
        reduced -= sign_of(one) * u[one >> 1u];
      }
      d[j] = x[j] * reduced;
      most = max(most, d[j]);
    }
    var reduced = BIG_M;
    for (var i = 0u; i < rows; i++) { reduced -= artificial[i] * u[i]; }
    d[columns] = x[columns] * reduced;
    most = max(most, d[columns]);
    if (most <= 0.0) { break; }  // optimal: nothing gets cheaper
    for (var j = 0u; j <= columns; j++) { x[j] *= 1.0 - STEP * d[j] / most; }
  }
  for (var j = 0u; j < columns; j++) { x_out[p * MAX_COLUMNS + j] = select(1.0, x[j], solved); }
}
